"""Percentiles told by sorting are those that numpy tells."""

from __future__ import annotations

import numpy as np
import pytest

from app.vision.picture.pixels import percentiles


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 2, 7, 400])
def test_percentiles_are_those_of_numpy(kind: type, count: int) -> None:
    values = (np.random.default_rng(count).random((1, count)) * 255).astype(kind)
    wanted = [0, 0.5, 4, 50, 97, 99.5, 100]
    assert percentiles(values, *wanted) == pytest.approx(np.percentile(values.astype(np.float64), wanted), rel=1e-6)
