"""`headstart`: the commands. Nothing heavy is imported before it is needed, so that --help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.cli.options import (
    Backbones,
    Budget,
    ClassWeight,
    Device,
    EarlierRuns,
    Images,
    Json,
    Margin,
    MaxPixels,
    Memory,
    MetricName,
    Out,
    Rate,
    RunFolder,
    Seed,
    Size,
    SplitShares,
    StrategyName,
    Strict,
)
from headstart.cli.show import Terminal
from headstart.cli.surrogates import pretrain_command, study_surrogates_command
from headstart.cli.transferability import study_transferability_command

app = typer.Typer(
    name="headstart",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Put to work, on your own small data, what networks have already learned.",
)
cache_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None, help="What is kept between runs.")
app.add_typer(cache_app, name="cache")
study_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What headstart's answers are worth here.")
app.add_typer(study_app, name="study")


@app.command("fit")
def fit_command(
    data: Images,
    out: Out,
    budget: Budget = "8m",
    backbone: Backbones = None,
    runs: EarlierRuns = None,
    strategy: StrategyName = "auto",
    seed: Seed = 0,
    size: Size = 128,
    split: SplitShares = "60/20/20",
    metric: MetricName = "accuracy",
    margin: Margin = 0.5,
    class_weight: ClassWeight = "none",
    rate: Rate = "recipe",
    device: Device = "auto",
    strict: Strict = False,
    max_pixels: MaxPixels = 64_000_000,
    memory: Memory = "3GB",
    as_json: Json = False,
) -> None:
    """Labelled images in, an adapted model and the evidence out."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.runs.fit import fit
        from headstart.runs.options import parse_split

        run = fit(
            data,
            out,
            budget=budget,
            backbones=backbone or (),
            runs=runs or (),
            strategy=strategy,
            seed=seed,
            size=size,
            split=parse_split(split),
            metric=metric,
            margin=margin,
            class_weight=class_weight,
            rate=rate,
            device=device,
            strict=strict,
            max_pixels=max_pixels,
            memory=memory,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        terminal.close(run, as_json=as_json)


@app.command("predict")
def predict_command(
    run: RunFolder,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE_OR_DIR...", help="Files, or folders of files.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name for each image.")] = 1,
    as_csv: Annotated[bool, typer.Option("--csv", help="path,class,probability on stdout.")] = False,
    as_json: Json = False,
    max_pixels: MaxPixels = 64_000_000,
) -> None:
    """Name the classes of images with a run's model; needs nothing but its folder."""
    with Terminal(quiet=as_json or as_csv) as terminal:
        from headstart.bundle import Predictor
        from headstart.cli.tables import print_predictions
        from headstart.problem import read_unlabelled

        predictor = Predictor(run)
        paths = read_unlabelled(images).x.images
        assert isinstance(paths, tuple)
        found = list(predictor.each(paths, top=top, max_pixels=max_pixels, progress=terminal.progress))
        form = "json" if as_json else "csv" if as_csv else "table"
        print_predictions(terminal, found, form=form)


@app.command("adapt")
def adapt_command(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Labelled images, as fit takes them.")],
    to: Annotated[Path, typer.Option("--to", metavar="TARGET", help="Any folder of images, flat or by class.")],
    out: Out,
    labels: Annotated[
        int, typer.Option(metavar="K", help="Labelled target images of each class that may be used.")
    ] = 0,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Read the judged target images' labels in the end, only to report.")
    ] = False,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A method; repeatable. auto: all on stored features, then DAN; features: without it; trained: all "
            "that train.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Of each training; by default 8 to 16, fewer of more images.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="Whose features are adapted.")] = "packaged/efficientnet_lite0",
    pairs: Annotated[
        str, typer.Option(help="Images of one item in both domains: auto, names (equal file names), none.")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Of the splits, and of whatever is drawn.")] = 0,
    size: Size = 128,
    metric: Annotated[str, typer.Option("--metric", help="accuracy, balanced_accuracy or macro_f1.")] = "accuracy",
    margin: Annotated[float, typer.Option(help="Points of the metric below which nothing differs.")] = 0.5,
    device: Device = "auto",
    strict: Strict = False,
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """A labelled source and images of another domain in, an adapted model and the evidence out."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.adapting import print_adapted
        from headstart.runs.adapt import adapt

        run = adapt(
            source,
            to,
            out,
            labels=labels,
            oracle=oracle,
            methods=method or ("auto",),
            epochs=epochs,
            backbone=backbone,
            pairs=pairs,
            seed=seed,
            size=size,
            metric=metric,
            margin=margin,
            device=device,
            strict=strict,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        print_adapted(terminal, run, as_json=as_json)


@app.command("joint")
def joint_command(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="path[,split,group] and a column for each task.")],
    label: Annotated[
        list[str], typer.Option("--label", metavar="COLUMN", help="The labels of a task; two or more of these.")
    ],
    out: Out,
    backbone: Annotated[str, typer.Option(help="What everything starts from.")] = "packaged/efficientnet_lite0",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Of each training; by default 8 to 16, fewer of more images.")
    ] = None,
    seed: Seed = 0,
    size: Size = 128,
    split: SplitShares = "60/20/20",
    metric: MetricName = "accuracy",
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """Several tasks on the images of one table: one network with a head for each, and the evidence."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.joining import print_joint
        from headstart.runs.joint import joint
        from headstart.runs.options import parse_split

        run = joint(
            table,
            label,
            out,
            backbone=backbone,
            epochs=epochs,
            seed=seed,
            size=size,
            split=parse_split(split),
            metric=metric,
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        print_joint(terminal, run, as_json=as_json)


app.command("pretrain")(pretrain_command)


@app.command("rank")
def rank_command(
    data: Images,
    backbone: Backbones = None,
    scores: Annotated[
        str, typer.Option(help="Names with commas between them, like loo_ridge,logme, or all.")
    ] = "loo_ridge",
    seed: Annotated[int, typer.Option(help="Of the split and of the resampling.")] = 0,
    size: Size = 128,
    split: SplitShares = "60/20/20",
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """Which network to start from: backbones in order, scored on training images without fine-tuning."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_ranked
        from headstart.runs.options import parse_split
        from headstart.runs.ranking import rank

        ranked = rank(
            data,
            backbones=backbone or (),
            scores=[name.strip() for name in scores.split(",")],
            seed=seed,
            size=size,
            split=parse_split(split),
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
        )
        print_ranked(terminal, ranked, as_json=as_json)


@study_app.command("ranking")
def study_ranking_command(
    data: Images,
    out: Out,
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="A backbone or a glob; repeatable. All packaged ones and a random one by default."),
    ] = None,
    strategy: Annotated[str, typer.Option(help="How all are fine-tuned: one row, e.g. last_block.")] = "all",
    budget: Budget = "20m",
    repeats: Annotated[int, typer.Option(help="Splits on which everything is done anew.")] = 3,
    seed: Annotated[int, typer.Option(help="Of the first split and training; each further one has the next.")] = 0,
    size: Size = 128,
    split: SplitShares = "60/20/20",
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """Back-test the scores of rank against real fine-tuning: which of them would have chosen well."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_backtested
        from headstart.runs.options import parse_split
        from headstart.runs.study import ranking

        found = ranking(
            data,
            out,
            backbones=backbone or (),
            strategy=strategy,
            budget=budget,
            repeats=repeats,
            seed=seed,
            size=size,
            split=parse_split(split),
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        print_backtested(terminal, found, as_json=as_json)


study_app.command("surrogates")(study_surrogates_command)
study_app.command("transferability")(study_transferability_command)


@app.command("report")
def report_command(run: RunFolder, as_json: Json = False) -> None:
    """(Re)draw the page from a run's records alone."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.report import draw

        terminal.say_path("report", draw(run), as_json=as_json)


@app.command("explain")
def explain_command(run: RunFolder, as_json: Json = False) -> None:
    """What trains, and what stays as it was, in each candidate of a run."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_explained
        from headstart.report import explain

        print_explained(terminal, explain(run), as_json=as_json)


@app.command("labels")
def labels_command(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="Labelled images, as fit takes them.")],
    backbone: Annotated[str, typer.Option(help="What is frozen.")] = "packaged/efficientnet_lite0",
    size: Size = 128,
    seed: Annotated[int, typer.Option(help="Of the split and of the draws.")] = 0,
    more: Annotated[int, typer.Option(help="Further labels to forecast.")] = 200,
    replicates: Annotated[int, typer.Option(help="Curves that are measured; 1 gives no interval.")] = 10,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Fine-tune, and train from scratch, at some sizes; needs --out.")
    ] = False,
    strategy: Annotated[str, typer.Option(help="With --finetune: the row that is fine-tuned.")] = "all",
    out: Annotated[
        Path | None, typer.Option("--out", help="With --finetune: its folder; the same command goes on there.")
    ] = None,
    budget: Annotated[str, typer.Option(help="With --finetune: time for all of it, like 90s, 8m or 1.5h.")] = "8m",
    as_json: Json = False,
) -> None:
    """How accuracy grows with the number of labels, and what more of them would bring."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.growth import print_labels
        from headstart.runs.labels import labels

        found = labels(
            data,
            backbone=backbone,
            size=size,
            seed=seed,
            more=more,
            replicates=replicates,
            finetune=finetune,
            strategy=strategy,
            out=out,
            budget=budget,
            progress=terminal.progress,
        )
        print_labels(terminal, found, as_json=as_json)


@app.command("compare")
def compare_command(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="DIR/<class>/<image>, a folder of images, or a table.")
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The same of the target; labels are not needed.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page; the same command goes on there.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="Whose features are compared.")] = "packaged/efficientnet_lite0",
    tolerance: Annotated[float, typer.Option(help="Points above chance that still count as the same.")] = 5.0,
    pairs: Annotated[str, typer.Option(help="Equal file names are one thing in both: auto, names or none.")] = "auto",
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=NEW", help="A class of the source by the target's name; repeatable."),
    ] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Read no labels of the target.")] = False,
    seed: Annotated[int, typer.Option(help="Of the draws, the folds and the permutations.")] = 0,
    size: Size = 128,
    device: Device = "auto",
    max_pixels: MaxPixels = 64_000_000,
    as_json: Json = False,
) -> None:
    """How two domains differ, by size and with intervals; the case named, and the methods that apply."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.comparison import parse_mapping, print_card
        from headstart.runs.compare import compare

        card = compare(
            source,
            target,
            backbone=backbone,
            tolerance=tolerance,
            pairs=pairs,
            mapping=parse_mapping(mapping or ()),
            target_labels=not unlabelled,
            out=out,
            seed=seed,
            size=size,
            device=device,
            max_pixels=max_pixels,
            progress=terminal.progress,
        )
        print_card(terminal, card, as_json=as_json)


@app.command("backbones")
def backbones_command(as_json: Json = False) -> None:
    """What can be transferred from, and whether its weights are at hand."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.backbones import names
        from headstart.cli.tables import print_backbones

        print_backbones(terminal, names(), as_json=as_json)


@cache_app.callback()
def cache_command(context: typer.Context, as_json: Json = False) -> None:
    """What is kept between runs: pixels, features, compiled graphs (HEADSTART_CACHE moves it)."""
    if context.invoked_subcommand is not None:
        return
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_cache
        from headstart.runs.caching import entries
        from headstart.runs.machine import cache_folder

        print_cache(terminal, cache_folder(), entries(cache_folder()), as_json=as_json)


@cache_app.command("prune")
def prune_command(
    to: Annotated[str, typer.Option("--to", help="Size to shrink to, like 1GB; 0 empties the cache.")] = "0",
    as_json: Json = False,
) -> None:
    """Remove the least recently used entries."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_pruned
        from headstart.runs.caching import prune
        from headstart.runs.machine import cache_folder
        from headstart.runs.options import parse_bytes

        print_pruned(terminal, prune(cache_folder(), to=parse_bytes(to)), as_json=as_json)


@cache_app.command("verify")
def verify_command(as_json: Json = False) -> None:
    """Read everything that is kept; remove, and name, what was damaged or has changed."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.cli.tables import print_verified
        from headstart.runs.caching import verify
        from headstart.runs.machine import cache_folder

        print_verified(terminal, verify(cache_folder(), progress=terminal.progress), as_json=as_json)


@app.command("demo")
def demo_command(
    out: Out = Path("demo-run"),
    budget: Budget = "5m",
    backbone: Backbones = None,
    size: Size = 64,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """The main job on handwritten digits that come with scikit-learn: a task far from ImageNet."""
    with Terminal(quiet=as_json) as terminal:
        from headstart.runs.demo import write_digits
        from headstart.runs.fit import fit
        from headstart.runs.machine import cache_folder

        data = write_digits(cache_folder() / "digits")
        run = fit(
            data,
            out,
            budget=budget,
            backbones=backbone or (),
            size=size,
            seed=seed,
            progress=terminal.progress,
            on_record=terminal.show,
        )
        terminal.close(run, as_json=as_json)


def main() -> None:
    """Run the command line; exit 0 well, 2 a user's mistake, 1 our own fault, 130 interrupted."""
    app()
