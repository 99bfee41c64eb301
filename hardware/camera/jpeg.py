"""JPEG frames of a camera as planes: decoding through FFmpeg, and the planes of any decoded frame."""

from __future__ import annotations

from typing import Any, cast

import av
import av.error
import av.video.reformatter
import numpy as np

from hardware.ports import CameraFrame, Packet, Plane


class JpegDecoder:
    """Decodes single JPEG pictures of any size; one thread."""

    def __init__(self) -> None:
        self._codec = _codec()

    def frame(self, data: bytes, mono_us: int) -> CameraFrame | None:
        """The picture with its bytes beside it; None when they are no picture."""
        try:
            frames = self._codec.decode(cast("av.Packet[Any]", av.Packet(data)))
        except av.error.FFmpegError:
            self._codec = _codec()
            return None
        if not frames or min(frames[0].width, frames[0].height) < 16:
            return None
        return planes_of(frames[0], mono_us, Packet(data), full_range=True)


def planes_of(
    frame: av.VideoFrame, mono_us: int, packet: Packet | None = None, full_range: bool = False
) -> CameraFrame:
    """Planes without padding columns; odd sizes lose their last row or column. No copy when it is yuv420p already."""
    if frame.format.name != "yuv420p" or full_range:
        source = "JPEG" if full_range else None
        frame = frame.reformat(format="yuv420p", src_color_range=source, dst_color_range="MPEG")
    width, height = frame.width // 2 * 2, frame.height // 2 * 2
    half = width // 2, height // 2
    return CameraFrame(
        mono_us, _plane(frame, 0, width, height), _plane(frame, 1, *half), _plane(frame, 2, *half), packet
    )


def _plane(frame: av.VideoFrame, index: int, width: int, height: int) -> Plane:
    plane = frame.planes[index]
    pixels = memoryview(cast(bytes, plane))  # it is a buffer; its type stub does not say so. The view keeps it alive.
    rows: Plane = np.frombuffer(pixels, np.uint8).reshape(-1, plane.line_size)
    return rows[:height, :width]


def _codec() -> av.video.codeccontext.VideoCodecContext:
    codec = av.CodecContext.create("mjpeg", "r")
    codec.thread_count = 1
    return codec
