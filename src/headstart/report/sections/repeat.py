"""How to repeat it: the command, and what the same bits depend on."""

from __future__ import annotations

from typing import Any

from headstart.report import again, wording
from headstart.report.reading import Run


def section(run: Run) -> dict[str, Any] | None:
    """The command line, the machine, the versions and the fingerprints."""
    if run.plan is None:
        return None
    detail, machine = run.plan.detail, run.plan.detail.get("machine") or {}
    facts = [
        ("Seed", str(run.options.get("seed", run.plan.seed))),
        ("Data fingerprint", (run.data.data if run.data else run.plan.data) or wording.MISSING),
        ("Precision", str(detail.get("precision") or wording.MISSING)),
        ("Processor", str(machine.get("processor") or wording.MISSING)),
        ("Cores", str(machine.get("cores") or wording.MISSING)),
        ("Instruction sets", wording.setting(machine.get("flags") or wording.MISSING).replace(",", ", ")),
        ("Python", str(machine.get("python") or wording.MISSING)),
    ]
    return {
        "command": again.fit(run.options, run.earlier),
        "facts": facts,
        "versions": sorted((str(name), str(version)) for name, version in (machine.get("versions") or {}).items()),
        "files": _files(run),
        "parity": _parity(run),
    }


def under(run: Run, command: list[str]) -> dict[str, Any] | None:
    """The same under another command, which chooses no precision."""
    facts = section(run)
    if facts is None:
        return None
    known = [(name, value) for name, value in facts["facts"] if value != wording.MISSING]
    return {**facts, "facts": known, "command": command}


def _files(run: Run) -> list[dict[str, str]]:
    files = (run.bundle.detail.get("files") or {}) if run.bundle else {}
    return [
        {"name": str(name), "size": wording.size(file.get("bytes")), "sha256": str(file.get("sha256") or "")}
        for name, file in sorted(files.items())
    ]


def _parity(run: Run) -> str:
    parity = run.bundle.detail.get("parity") if run.bundle else None
    return "" if parity is None else f"{parity:.1e}"
