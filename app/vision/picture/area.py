"""Places on the rectified card."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Area:
    """An upright rectangle in pixels of the rectified card."""

    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def bottom(self) -> float:
        return self.y + self.h

    @property
    def mid_y(self) -> float:
        return self.y + self.h / 2

    def turned(self, quarters: int, size: tuple[int, int]) -> Area:
        """This area of a picture of that width and height, in the picture turned clockwise by so many quarters."""
        (width, height), x, y, w, h = size, self.x, self.y, self.w, self.h
        return (
            self,
            Area(height - y - h, x, h, w),
            Area(width - x - w, height - y - h, w, h),
            Area(y, width - x - w, h, w),
        )[quarters]

    def share_of(self, other: Area) -> float:
        """How much of `other` lies inside, 0..1."""
        w = min(self.right, other.right) - max(self.x, other.x)
        h = min(self.bottom, other.bottom) - max(self.y, other.y)
        return max(0.0, w) * max(0.0, h) / max(1e-6, other.w * other.h)
