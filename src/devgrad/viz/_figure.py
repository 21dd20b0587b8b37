"""A scene as a matplotlib figure."""

from __future__ import annotations

from typing import Any

from ._scene import LINE, Scene, Shape, segments

__all__ = ["draw_scene", "new_figure", "pyplot"]


def pyplot() -> Any:
    """``matplotlib.pyplot``.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from matplotlib import pyplot as found
    except ImportError as error:
        raise ImportError(
            "matplotlib is needed for a figure, and is not installed: pip install matplotlib. "
            "Without it there are .svg(), .dot() and .text()"
        ) from error
    return found


def new_figure(scene: Scene) -> Any:
    """A figure of just the scene's size."""
    figure = pyplot().figure(figsize=(scene.width / 72, scene.height / 72))
    draw_scene(scene, figure.add_axes((0, 0, 1, 1)))
    return figure


def draw_scene(scene: Scene, axes: Any) -> None:
    """Draw a scene into matplotlib axes."""
    from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
    from matplotlib.path import Path

    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    axes.set_aspect("equal")
    axes.axis("off")
    for route in scene.routes:
        points: list[Any] = []
        codes: list[Any] = []
        for piece in segments(route, scene.rightward):
            if not points:
                points.append(piece[0])
                codes.append(Path.MOVETO)
            points += piece[1:]
            codes += [Path.LINETO if len(piece) == 2 else Path.CURVE4] * (len(piece) - 1)
        axes.add_patch(PathPatch(Path(points, codes), fill=False, edgecolor=LINE, linewidth=1))
        x, y = route.points[-1]
        back = (
            [(x - 6, y - 3), (x - 6, y + 3)]
            if scene.rightward
            else [(x - 3, y - 6), (x + 3, y - 6)]
        )
        axes.add_patch(Polygon([(x, y), *back], facecolor=LINE, edgecolor="none"))

    def patch(shape: Shape) -> Any:
        style = shape.style
        look: dict[str, Any] = dict(
            facecolor=style.fill, edgecolor=style.stroke, linewidth=style.width,
            linestyle=(0, (3, 2)) if style.dashed else "solid",
        )  # fmt: skip
        if shape.kind == "circle":
            return Circle((shape.x, shape.y), shape.radius, **look)
        left, top = shape.x - shape.width / 2, shape.y - shape.height / 2
        form = f"round,pad=0,rounding_size={shape.radius}"
        return FancyBboxPatch((left, top), shape.width, shape.height, boxstyle=form, **look)

    for shape in (*scene.shapes, *scene.legend):
        axes.add_patch(patch(shape))
    labels = [label for shape in scene.shapes for label in shape.labels]
    for label in (*labels, *scene.notes):
        axes.text(
            label.x, label.y, label.text.replace("$", r"\$"), size=label.size,
            weight="bold" if label.bold else "normal",
            ha="center" if label.centred else "left", va="center_baseline",
        )  # fmt: skip
