"""Image formats that have no reader here, by their signatures, and names that claim to be images.

Members of these formats are failures that name the format: passing for no image would lose them silently.
"""

import re
from typing import Final

__all__ = ["ADVICE", "CAMERA_RAWS", "CLAIMS", "SIGNATURES"]

_CONVERT: Final = "images have no decoder here: convert them to PNG or TIFF first"
_DEVELOP: Final = "camera raws have no decoder here: develop them to TIFF first"
_RENDER: Final = "drawings have no pixels of their own: render them to PNG first"

SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"II\xbc", "JPEG XR"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"\xff\x10\xff\x50", "JPEG XS"),
    (0, b"\x97JB2\r\n\x1a\n", "JBIG2"),
    (0, b"BPG\xfb", "BPG"),
    (0, b"FLIF", "FLIF"),
    (128, b"DICM", "DICOM"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"NITF0", "NITF"),
    (0, b"NSIF0", "NITF"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"P7 332", "XV thumbnail"),
    (0, b"farbfeld", "farbfeld"),
    (0, b"8BPS\x00\x02", "PSB"),
    (0, b"gimp xcf ", "XCF"),
    (0, b"\x8aMNG\r\n\x1a\n", "MNG"),
    (0, b"\x8bJNG\r\n\x1a\n", "JNG"),
    (0, b"SDPX", "DPX"),
    (0, b"XPDS", "DPX"),
    (0, b"\x80\x2a\x5f\xd7", "Cineon"),
    (0, b"\xabKTX 11\xbb\r\n\x1a\n", "KTX"),
    (0, b"\xabKTX 20\xbb\r\n\x1a\n", "KTX"),
    (0, b"VTF\0", "VTF"),
    (0, b"PVR\x03", "PVR"),
    (0, b"\x13\xab\xa1\x5c", "ASTC"),
    (0, b"BLP1", "BLP"),
    (0, b"BLP2", "BLP"),
    (0, b"id=ImageMagick", "MIFF"),
    (0, b"\x80\xe8\0\0\0\0\0\0", "PIXAR"),
    (0, b"\x53\x80\xf6\x34", "Softimage"),
    (20, b"GIMP", "GIMP brush"),
    (20, b"GPAT", "GIMP pattern"),
    (0, b"Image type: ", "IM"),
    (0, b"II\x1a\0\0\0HEAPCCDR", "Canon CRW"),
    (4, b"ftypcrx ", "Canon CR3"),
    (0, b"FUJIFILMCCD-RAW", "Fujifilm RAF"),
    (0, b"IIU\0", "Panasonic RW2"),
    (0, b"IIRO", "Olympus ORF"),
    (0, b"IIRS", "Olympus ORF"),
    (0, b"MMOR", "Olympus ORF"),
    (0, b"FOVb", "Sigma X3F"),
    (0, b"\0MRM", "Minolta MRW"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "PostScript"),
    (0, b"\xd7\xcd\xc6\x9a", "WMF"),
    (40, b" EMF", "EMF"),
    (0, b"AT&TFORM", "DjVu"),
)
"""Where a signature stands, its bytes, the format's name; those of formats that are read are elsewhere."""

ADVICE: Final[dict[str, str]] = {
    **{name: f"{name} {_CONVERT}" for _, _, name in SIGNATURES},
    **{name: f"{name} {_CONVERT}" for name in ("HEIF", "ILBM", "Krita", "OpenRaster")},
    "Canon CR2": f"Canon CR2 {_DEVELOP}",
    **{
        name: f"{name} {_DEVELOP}"
        for _, _, name in SIGNATURES
        if name.startswith(("Canon", "Fujifilm", "Panasonic", "Olympus", "Sigma", "Minolta"))
    },
    **{name: f"{name} {_RENDER}" for name in ("PostScript", "WMF", "EMF", "SVG", "DjVu")},
}
"""What a failure says, by the format's name."""

CAMERA_RAWS: Final = re.compile(
    r"\.(3fr|arw|cr2|dcr|dng|erf|iiq|k25|kdc|mef|nef|nrw|orf|pef|rw2|rwl|sr2|srf|srw)$", re.IGNORECASE
)
"""Names of camera raws that are TIFFs, whose first page is a thumbnail."""

CLAIMS: Final = re.compile(
    r"\.(3fr|apng|arw|avif|avifs|bmp|bpg|cr2|cr3|crw|cur|dcm|dcr|dcx|dds|dib|djv|djvu|dng|dpx|emf|eps|erf|exr"
    r"|fits|flc|fli|flif|gif|heic|heics|heif|hif|icns|ico|iiq|j2c|j2k|jfif|jls|jng|jp2|jpc|jpe|jpeg|jpf|jpg"
    r"|jpx|jxl|jxr|k25|kdc|kra|ktx|ktx2|mef|mng|mpo|mrw|nef|nitf|nrw|ntf|ora|orf|pam|pbm|pcx|pef|pgm|png"
    r"|pnm|ppm|psb|psd|qoi|raf|rw2|rwl|sgi|sr2|srf|srw|svg|svgz|tga|tif|tiff|vtf|wdp|webp|wmf|x3f|xbm|xcf"
    r"|xpm)$",
    re.IGNORECASE,
)
"""Names that only images have; those that others have too (.hdr, .pcd, .raw ...) claim nothing."""
