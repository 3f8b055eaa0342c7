"""The table of surrogate tasks: what a backbone can be made by where there are no labels of the task at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Needs = Literal["images", "labels", "frames", "motion"]
"""What a surrogate learns from: images, images with labels of another task, ordered frames, or frames and how the
camera moved, which is built from single images where there are none."""


@dataclass(frozen=True)
class SurrogateTask:
    """One row.

    Attributes
    ----------
    name : how users and records name it.
    title : the same in words, to stand in a sentence.
    needs : what it learns from.
    question : what the network is asked, as a reader would put it.
    paper : authors and year.
    frames : images in a set.
    extra : the optional dependency that brings it; empty where there is none.
    turns : what the objective makes of each of them.
    """

    name: str
    title: str
    needs: Needs
    question: str
    paper: str
    frames: int = 1
    extra: str = ""
    turns: int = 1

    @property
    def seen(self) -> int:
        """Images that the network goes through for a set."""
        return self.frames * self.turns


SURROGATES: dict[str, SurrogateTask] = {
    row.name: row
    for row in (
        SurrogateTask(
            "supervised",
            "the labels of another task",
            "labels",
            "Which class of the other task does this image show?",
            "Donahue et al. 2014",
        ),
        SurrogateTask(
            "exemplar",
            "pseudo-classes of transformed patches",
            "images",
            "Which seed patch is this a transformation of?",
            "Dosovitskiy et al. 2014",
        ),
        SurrogateTask(
            "rotation",
            "rotations of images",
            "images",
            "By how many quarters is this image turned?",
            "Gidaris, Singh & Komodakis 2018",
            turns=4,
        ),
        SurrogateTask(
            "slow",
            "slow features of frames",
            "frames",
            "Which frame follows this one, among distant ones?",
            "Mobahi, Collobert & Weston 2009",
            frames=2,
        ),
        SurrogateTask(
            "slow_margin",
            "slow features of frames, by a margin",
            "frames",
            "Is the next frame close, and a distant one apart?",
            "Mobahi, Collobert & Weston 2009",
            frames=2,
        ),
        SurrogateTask(
            "steady",
            "slow and steady features of frames",
            "frames",
            "Which frame follows this one, and does it change as it has just changed?",
            "Jayaraman & Grauman 2016",
            frames=3,
        ),
        SurrogateTask(
            "egomotion",
            "the camera's motion",
            "motion",
            "How did the camera move between these two?",
            "Agrawal, Carreira & Malik 2015",
            frames=2,
        ),
        SurrogateTask(
            "equivariance",
            "features that move with the camera",
            "motion",
            "Where do the features of this image go when the camera moves so?",
            "Jayaraman & Grauman 2015",
            frames=2,
        ),
        SurrogateTask(
            "simclr",
            "two views of each image, contrasted",
            "images",
            "Which of these is another view of this image?",
            "Chen et al. 2020",
            frames=2,
            extra="lightly",
        ),
        SurrogateTask(
            "vicreg",
            "two views of each image, varied and uncorrelated",
            "images",
            "Are two views alike, while features vary and say different things?",
            "Bardes, Ponce & LeCun 2022",
            frames=2,
            extra="lightly",
        ),
        SurrogateTask(
            "barlow_twins",
            "two views of each image, without redundancy",
            "images",
            "Does each feature agree with itself in two views, and with no other?",
            "Zbontar et al. 2021",
            frames=2,
            extra="lightly",
        ),
    )
}
