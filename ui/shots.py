"""Pictures of the screens without a screen: every sample in both themes, both languages and two sizes.

Call from the main thread. Runs on the offscreen platform; a QApplication is made when there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QImage

from app.core.products import Catalogue
from app.core.readiness import RecMode, Surroundings
from app.core.states import State
from app.frames import HalfFrame
from app.paths import RESOURCES
from ui import samples, samples_products, samples_reveal, samples_review
from ui.bridge import Bridge
from ui.lesson import show_card
from ui.present_products import Choosing, products
from ui.present_reveal import Seeing, reveals
from ui.present_review import review
from ui.run import application
from ui.sample_pictures import crop, line, picture
from ui.scene import Desk, Scene
from ui.screens.framed import Framed
from ui.screens.products import ProductScreen
from ui.screens.reveal import RevealScreen
from ui.screens.review import ReviewScreen
from ui.theme import Themes, density_for, dress
from ui.window import Window, WindowSettings

SIZES = ((1440, 900), (1366, 768))
LARGE = (1920, 1080)
THEMES = ("light", "dark")
LANGUAGES = ("zh", "en")
_LARGE_TOO = ("workbench-2-reading",)
_DESK = Desk(version="0.1.0", demo_badge="CIB-DEMO01")

F = TypeVar("F", bound=Framed)


def quiet_window(
    catalogue: Catalogue,
    size: tuple[int, int],
    *,
    theme: str = "light",
    language: str = "zh",
    desk: Desk = _DESK,
) -> Window:
    """A window of exactly this size that sends its events nowhere."""
    settings = WindowSettings(language=language, theme=theme, volume=0.0, desk=desk)
    window = Window(Bridge(lambda _event: None), catalogue, RESOURCES, settings)
    window.setMinimumSize(1, 1)
    window.resize(*size)
    window.show()
    QCoreApplication.processEvents()
    return window


def shoot(window: Window, state: State, around: Surroundings, image: QImage | None = None, key: str = "") -> QImage:
    """What the window shows in this state, after `key` was pressed if one is named."""
    window.working.close_overlays()
    window.show_state(state, around)
    if key:
        window.press(key)
    if image is not None:
        window.work.show_image(image)
    QCoreApplication.processEvents()
    return window.grab().toImage()


def _set_up(kind: type[F], size: tuple[int, int], theme: str, language: str) -> tuple[F, Scene]:
    """A screen of exactly this size, and the scene of the samples."""
    density = density_for(*size)
    look = Themes(RESOURCES).look(theme, density)
    dress(look)
    screen = kind(look)
    screen.setObjectName("window")
    screen.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    screen.setMinimumSize(1, 1)
    screen.resize(*size)
    compact = density.name == "compact"
    return screen, Scene(samples.around(RecMode.OFF), samples.catalogue(), language, compact, _DESK)


def review_screen(size: tuple[int, int], theme: str = "light", language: str = "zh") -> ReviewScreen:
    """The review screen with its sample, at exactly this size."""
    screen, scene = _set_up(ReviewScreen, size, theme, language)
    screen.show_view(review(scene, samples_review.looking()))
    screen.film.show_image(picture("card"))
    screen.show_at(samples_review.AT_US, playing=True, rate=1.0)
    screen.show()
    QCoreApplication.processEvents()
    return screen


def reveal_screen(seeing: Seeing, size: tuple[int, int], theme: str = "light", language: str = "zh") -> RevealScreen:
    """The screen for seeing secrets with a sample, at exactly this size. There is no secret in a sample."""
    screen, scene = _set_up(RevealScreen, size, theme, language)
    screen.show_view(reveals(scene, seeing))
    screen.show()
    QCoreApplication.processEvents()
    return screen


PRODUCTS = {
    "products-search": samples_products.searching,
    "products-bind": samples_products.binding,
    "products-changes": samples_products.changing,
    "products-lesson": samples_products.learning,
}


def product_screen(
    choosing: Choosing, size: tuple[int, int], theme: str = "light", language: str = "zh"
) -> ProductScreen:
    """The product screen with a sample, at exactly this size."""
    screen, scene = _set_up(ProductScreen, size, theme, language)
    screen.show_view(products(scene, choosing))
    screen.search.field.setText(choosing.query)
    show_card(screen, choosing.learning)
    for field, text in zip(screen.regions.names, (choosing.learning.zh, choosing.learning.en), strict=True):
        field.setText(text)
    screen.side.reason.setText("新货架 new shelf" if choosing.reason_there else "")
    screen.show()
    QCoreApplication.processEvents()
    return screen


def grab_state(
    state: State,
    around: Surroundings,
    catalogue: Catalogue,
    path: Path,
    *,
    size: tuple[int, int] = (1440, 900),
    frame: HalfFrame | None = None,
    theme: str = "light",
    language: str = "zh",
) -> Path:
    """Save a picture of one state as PNG, with `frame` as the camera's newest frame; gives the path."""
    application(headless=True)
    window = quiet_window(catalogue, size, theme=theme, language=language)
    if frame is not None:
        window.show_frame(frame)
    path.parent.mkdir(parents=True, exist_ok=True)
    shoot(window, state, around).save(str(path))
    window.close()
    window.deleteLater()
    return path


def render_shots(out: Path) -> list[Path]:
    """Every sample × theme × language × size as PNG; gives the paths."""
    application(headless=True)
    out.mkdir(parents=True, exist_ok=True)
    made = samples.samples(crop(), line())
    paths = []
    for size in (*SIZES, LARGE):
        for theme in THEMES:
            for language in LANGUAGES:
                chosen = [s for s in made if size != LARGE or s.name in _LARGE_TOO]
                paths += _series(out, tuple(chosen), size, theme, language)
                looks = (size, theme, language)
                paths.append(_saved(review_screen(*looks), out, "review-footage", *looks))
                for name, choosing in PRODUCTS.items():
                    paths.append(_saved(product_screen(choosing(), *looks), out, name, *looks))
                for name, seeing in samples_reveal.SAMPLES.items():
                    paths.append(_saved(reveal_screen(seeing(), *looks), out, name, *looks))
    return paths


def _saved(screen: Framed, out: Path, name: str, size: tuple[int, int], theme: str, language: str) -> Path:
    path = out / f"{name}-{language}-{theme}-{size[0]}x{size[1]}.png"
    screen.grab().save(str(path))
    screen.close()
    screen.deleteLater()
    return path


def _series(
    out: Path, chosen: tuple[samples.Sample, ...], size: tuple[int, int], theme: str, language: str
) -> list[Path]:
    """One window, all samples: it is also a test that nothing of one state stays behind in the next."""
    window = quiet_window(samples.catalogue(), size, theme=theme, language=language)
    paths = []
    for sample in chosen:
        image = picture(sample.picture) or picture("mat")
        path = out / f"{sample.name}-{language}-{theme}-{size[0]}x{size[1]}.png"
        shoot(window, sample.state, sample.around, image, sample.key).save(str(path))
        paths.append(path)
    window.close()
    window.deleteLater()
    return paths
