"""Pixel values of every kind of picture, and a short reason for everything that is none."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from headstart.data.decode import array_to_square, decode, read_rgb, to_square
from headstart.errors import ImageError


def saved(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width: int = 64, height: int = 48) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 255 / width, y * 255 / height, (x + y) % 256], -1).astype("u1"))


def pixel(blob: bytes, at=(0, 0)) -> tuple[int, ...]:
    return read_rgb(blob).getpixel(at)


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG"])
def test_formats_are_read_by_content_whatever_the_name_says(tmp_path, kind):
    path = tmp_path / "picture.txt"
    path.write_bytes(saved(Image.new("RGB", (9, 7), (200, 100, 50)), kind))
    image = read_rgb(path)
    assert (image.mode, image.size) == ("RGB", (9, 7))
    assert np.abs(np.array(image).astype(int) - (200, 100, 50)).max() <= 4


def test_only_listed_formats_are_opened():
    with pytest.raises(ImageError, match="not an image of a known kind"):
        read_rgb(saved(Image.new("RGB", (8, 8)), "ICO"))


@pytest.mark.parametrize(
    ("blob", "reason"),
    [(b"", "an empty file"), (b"hello, this is text", "not an image"), (saved(photo())[:20], "not an image|damaged")],
)
def test_what_is_no_image_has_a_reason(blob, reason):
    with pytest.raises(ImageError, match=reason):
        read_rgb(blob)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_broken(kind, share):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype="u1"))
    blob = saved(noise, kind)
    with pytest.raises(ImageError):
        read_rgb(blob[: int(len(blob) * share)])


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("seed", range(20))
def test_damaged_bytes_give_an_image_or_an_image_error(seed):
    rng = np.random.default_rng(seed)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM"):
        blob = bytearray(saved(photo(), kind))
        for at in rng.integers(0, len(blob), 8):
            blob[at] = rng.integers(256)
        try:
            read_rgb(bytes(blob), max_pixels=10**6)
        except ImageError as error:
            assert error.fact


def test_palette_and_its_transparent_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((1, 0), 1)
    assert pixel(saved(image), (1, 0)) == (200, 0, 0)
    assert pixel(saved(image, transparency=1), (1, 0)) == (255, 255, 255)
    assert pixel(saved(image, transparency=bytes([255, 128])), (1, 0)) == (227, 127, 127)


def test_transparency_lies_over_white():
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (100, 0, 50, 255))
    image.putpixel((2, 0), (0, 0, 0, 128))
    blob = saved(image)
    assert [pixel(blob, (x, 0)) for x in range(3)] == [(255,) * 3, (100, 0, 50), (127,) * 3]
    assert pixel(saved(Image.new("LA", (1, 1), (0, 0)))) == (255,) * 3
    assert pixel(saved(Image.new("L", (1, 1), 7), transparency=7)) == (255,) * 3
    assert pixel(saved(Image.new("RGB", (1, 1), (7, 8, 9)), transparency=(7, 8, 9))) == (255,) * 3


def test_sixteen_bit_grey_is_scaled():
    values = np.array([[0, 256, 257, 32768, 65535]], "u2")
    expected = np.round(values.astype(float) * 255 / 65535)[0].tolist()
    for kind in ("PNG", "TIFF"):
        assert np.array(read_rgb(saved(Image.fromarray(values), kind)))[0, :, 0].tolist() == expected
    pgm = b"P5 5 1 65535\n" + values.astype(">u2").tobytes()
    assert np.array(read_rgb(pgm))[0, :, 2].tolist() == expected


def test_sixteen_bit_colour():
    colours = np.array([[65535, 32896, 0]], ">u2")
    assert pixel(png(1, 1, 16, 2, b"\0" + colours.tobytes())) == (255, 128, 0)


def test_one_bit_is_black_and_white():
    image = Image.new("1", (2, 1))
    image.putpixel((1, 0), 1)
    assert [pixel(saved(image), (x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


def test_ranges_that_a_file_does_not_tell_are_refused():
    with pytest.raises(ImageError, match="floating-point"):
        read_rgb(saved(Image.new("F", (2, 2), 0.5), "TIFF"))
    with pytest.raises(ImageError, match="32-bit"):
        read_rgb(saved(Image.new("I", (2, 2), 100_000), "TIFF"))


def test_cmyk():
    red = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.abs(np.array(pixel(red)) - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("turn", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (1, 0)), (8, (0, 1)), (2, (1, 0)), (5, (0, 0))]
)
def test_exif_orientation(kind, turn, corner):
    """The stored top left is red; orientation says at which corner of the shown picture it is."""
    image = Image.new("RGB", (64, 32), "blue")
    image.paste("red", (0, 0, 16, 16))
    exif = Image.Exif()
    exif[0x0112] = turn
    shown, sides = decode(saved(image, kind, exif=exif))
    assert shown.size == sides == ((32, 64) if turn >= 5 else (64, 32))
    at = (4 if corner[0] == 0 else shown.width - 5, 4 if corner[1] == 0 else shown.height - 5)
    r, _, b = shown.getpixel(at)
    assert r > 200 and b < 60


def test_broken_exif_data_does_not_cost_the_picture():
    assert pixel(saved(Image.new("RGB", (8, 8), "red"), "JPEG", exif=b"Exif\0\0garbage"))[0] > 240


def test_the_cap_on_pixels_holds_before_decoding():
    bomb = png(60_000, 60_000, 8, 0, b"")
    with pytest.raises(ImageError, match="pixels"):
        read_rgb(bomb)
    with pytest.raises(ImageError, match=r"64 × 48 pixels, more than the 3,000 allowed"):
        read_rgb(saved(photo()), max_pixels=3000)
    assert read_rgb(saved(photo()), max_pixels=64 * 48).size == (64, 48)


def test_files_too_long_for_the_cap_are_not_read(tmp_path):
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(ImageError, match="more than"):
        read_rgb(path)


def test_pipes_links_to_nowhere_and_refused_files_are_broken(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    for name, reason in (("pipe", "not a file"), ("link", "cannot be opened"), ("absent", "No such file")):
        with pytest.raises(ImageError, match=reason):
            read_rgb(tmp_path / name)
    (tmp_path / "a.png").write_bytes(saved(photo()))
    if os.geteuid() != 0:
        (tmp_path / "a.png").chmod(0)
        with pytest.raises(ImageError, match="Permission denied"):
            read_rgb(tmp_path / "a.png")


def test_at_least_reduces_photographs_but_never_below():
    blob = saved(photo(1600, 1200), "JPEG")
    image, sides = decode(blob, at_least=200)
    assert sides == (1600, 1200) and image.size == (400, 300)
    assert read_rgb(blob, at_least=1300).size == (1600, 1200)
    whole, reduced = to_square(read_rgb(blob), 100).astype(int), to_square(image, 100).astype(int)
    assert np.abs(whole - reduced)[:, :, :2].max() <= 6


def test_squares_hold_the_whole_picture():
    image = Image.new("RGB", (100, 20), "black")
    image.paste("white", (50, 0, 100, 20))
    square = to_square(image, 10)
    assert square.shape == (10, 10, 3) and square.dtype == np.uint8 and square.flags.writeable
    assert square[:, :4].max() <= 20 and square[:, 6:].min() >= 235
    assert to_square(Image.new("L", (1, 1), 9).convert("RGB"), 8).tolist() == np.full((8, 8, 3), 9).tolist()


def test_arrays_become_squares_as_files_do():
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (8, 8), dtype="u1")
    expected = to_square(read_rgb(saved(Image.fromarray(grey))), 32)
    for array in (grey, grey[:, :, None], np.repeat(grey[:, :, None], 3, 2)):
        assert np.array_equal(array_to_square(array, 32), expected)
    assert array_to_square(np.zeros((4, 4, 4), "u1"), 2).min() == 255
    for wrong in (grey.astype(float), grey[0], np.zeros((2, 2, 2), "u1"), np.zeros((0, 2), "u1")):
        with pytest.raises(ImageError):
            array_to_square(wrong, 8)
