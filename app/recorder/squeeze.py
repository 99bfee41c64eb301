"""Single pictures small enough to be written at once: JPEG in, JPEG out, through FFmpeg.

A camera that sends MJPEG, H.264 or H.265 is kept as it comes. For one that does not (a film) the planes are
compressed here, almost without loss (mean error about half a level), and come back as the very planes, no range
converted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import av
import av.codec.context
import av.error
import av.video.reformatter
import numpy as np
from av.video.codeccontext import VideoCodecContext

from app.evidence.ring import Picture
from app.frames import Plane

CAMERA, PLANES = "mjpeg", "planes"
CHAINED = ("h264", "hevc")
"""Codecs whose pictures need those before them."""


class Squeezer:
    """Compresses flat YUV 4:2:0 planes to JPEG; one thread."""

    def __init__(self) -> None:
        self._codec: VideoCodecContext | None = None
        self._size = (0, 0)

    def squeeze(self, planes: Plane, width: int, height: int) -> bytes:
        """`planes`: Y, U, V one after another, width*height*3/2 bytes."""
        if self._codec is None or self._size != (width, height):
            self._codec, self._size = _jpeg_encoder(width, height), (width, height)
        frame = av.VideoFrame.from_numpy_buffer(planes.reshape(height * 3 // 2, width), format="yuvj420p")
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


class Unsqueezer:
    """Gets planes back from what `Squeezer` or a camera made; one thread. Tell it of every picture in its order:
    `planes` those whose planes are wanted, `follow` the others.
    """

    def __init__(self) -> None:
        self._codec = _jpeg_decoder()
        self._chain = _Chain()

    def follow(self, picture: Picture) -> None:
        """Remember what later pictures need of this one."""
        if picture.codec in CHAINED:
            self._chain.add(picture)

    def lost(self) -> None:
        """A picture is missing: none that needs it can be had."""
        self._chain.cut()

    def planes(self, picture: Picture) -> Plane | None:
        """Flat planes of the picture's size; None for bytes that are no picture (a torn frame from a camera)."""
        if picture.codec in CHAINED:
            self._chain.add(picture)
            frame = self._chain.newest()
            return None if frame is None else flat(_narrow(frame), picture.width, picture.height)
        try:
            frames = self._codec.decode(cast("av.Packet[Any]", av.Packet(picture.data)))
        except av.error.FFmpegError:
            self._codec = _jpeg_decoder()
            return None
        if not frames:
            return None
        frame = frames[0]
        if picture.codec == CAMERA:
            frame = frame.reformat(format="yuv420p", src_color_range="JPEG", dst_color_range="MPEG")
        return flat(frame, picture.width, picture.height)


class _Chain:
    """The pictures since the last key, and how many of them are decoded. They are decoded when one is wanted only."""

    def __init__(self) -> None:
        self._pictures: list[Picture] = []
        self._decoded = 0
        self._codec: VideoCodecContext | None = None

    def add(self, picture: Picture) -> None:
        """The next one; one that is no key and follows none cannot be decoded and is passed over."""
        if picture.key:
            self._pictures, self._decoded, self._codec = [picture], 0, None
        elif self._pictures:
            self._pictures.append(picture)

    def cut(self) -> None:
        self._pictures, self._decoded, self._codec = [], 0, None

    def newest(self) -> av.VideoFrame | None:
        """The last picture that was added; None when it cannot be decoded, and then nothing up to the next key."""
        if not self._pictures:
            return None
        if self._codec is None:
            self._codec = _chain_decoder(self._pictures[0].codec)
        frames: list[av.VideoFrame] = []
        try:
            for picture in self._pictures[self._decoded :]:
                frames = self._codec.decode(cast("av.Packet[Any]", av.Packet(picture.data)))
        except av.error.FFmpegError:
            frames = []
        self._decoded = len(self._pictures)
        if not frames:
            self.cut()
            return None
        return frames[-1]


def _narrow(frame: av.VideoFrame) -> av.VideoFrame:
    """4:2:0 in the range of television, as all planes here are."""
    full_range = frame.color_range == av.video.reformatter.ColorRange.JPEG
    if frame.format.name == "yuv420p" and not full_range:
        return frame
    return frame.reformat(format="yuv420p", src_color_range="JPEG" if full_range else None, dst_color_range="MPEG")


def _chain_decoder(name: str) -> VideoCodecContext:
    codec = cast(VideoCodecContext, av.CodecContext.create(name, "r"))
    codec.thread_count = 1
    codec.flags |= av.codec.context.Flags.low_delay
    return codec


def flat(frame: av.VideoFrame, width: int, height: int) -> Plane | None:
    """The planes of a 4:2:0 frame one after another, cut to an even size; None when the frame is smaller."""
    if frame.width < width or frame.height < height:
        return None
    parts = []
    for plane, (w, h) in zip(frame.planes, ((width, height), *((width // 2, height // 2),) * 2), strict=True):
        rows: Plane = np.frombuffer(memoryview(cast(bytes, plane)), np.uint8).reshape(-1, plane.line_size)
        parts.append(rows[:h, :w].reshape(-1))
    return np.concatenate(parts)


def _jpeg_encoder(width: int, height: int) -> VideoCodecContext:
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = width, height, "yuvj420p"
    codec.time_base, codec.thread_count = Fraction(1, 30), 1
    codec.options = {"qmin": "2", "qmax": "2"}
    return codec


def _jpeg_decoder() -> VideoCodecContext:
    codec = av.CodecContext.create("mjpeg", "r")
    codec.thread_count = 1
    return codec
