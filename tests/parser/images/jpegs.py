"""JPEGs that tests take apart: by markers, and of kinds that Pillow does not write."""

import base64
import re

import numpy as np
from PIL import Image

from ..samples import encoded, smooth

PHOTO = smooth(96, 128)


def photo(**options):
    """A JPEG of 128 x 96 pixels; its scan ends with the end marker."""
    return encoded(PHOTO, "JPEG", **({"quality": 90} | options))


def cmyk(**options):
    """The same in four colours."""
    return encoded(Image.fromarray(smooth(96, 128, 4), "CMYK"), "JPEG", **options)


def marker(data, code, number=0):
    """Where the marker with this second byte stands, the first or a later one."""
    return [match.start() for match in re.finditer(b"\xff" + bytes([code]), data)][number]


def scan_data(data):
    """Where the first scan's data begins."""
    at = marker(data, 0xDA)
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def inserted(data, at, more):
    """The bytes with more of them before a place."""
    return data[:at] + more + data[at:]


def replaced(data, at, other):
    """The bytes with others at a place."""
    return data[:at] + other + data[at + len(other) :]


def segment(code, body):
    """A marker with what belongs to it."""
    return b"\xff" + bytes([code]) + (len(body) + 2).to_bytes(2, "big") + body


# `smooth(32, 24, seed=3) // 2 + 60`, as libjpeg-turbo's cjpeg writes it with -quality 50 and -arithmetic, and
# with -optimize -sample 2x1,1x1,1x2: chroma sampling that TurboJPEG has no name for.
ARITHMETIC = base64.b85decode(
    "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahXlFi6"
    "ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`Klx"
    "01*fPAOIKx0U`hb5di}c0sqVZ3IGrg1pyEd1^?Or3<CiG0ucid06zfEs5#%91Uh+vMVWuwLIZj^bWG=tqpJuj-TX;EM@Oh(4^mGh"
    "@_@7jsb-+Wsv!mW&V$*q*2Vb9-ffjKl8&Tq!MbFz$l_YVfTCb${{Y+=pGU4ciK1gkOr7uC?WiE|Ifcrh={4<D0{qZ>|Je"
)
UNUSUAL_SAMPLING = base64.b85decode(
    "|JeWF01!$>Nk#wx0RR9200961|JwjV01yid4h#wq4h;?x5fBp?C>j_R78o%jB^@X_Gd(;xGdMRuNL)@pL{~*OI8bd-S6^ahXlFi6"
    "ad~iLcwA*?WB=O#Lje&I5*QU2FB%#zV?sDWV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`F1uV`Klo"
    "01*fPAOIKx0U-ba5di}d0sq7R761VO0RR910000000000000930sq7R9}oZm1OfsB0000000000000620RsdPF%u#ZAvFKQ02cuP"
    "0RaI30000000000000040s{d5!~h);00II60|5X400000000000RsR65fTJ3G9mxk01N{G00I#M5dc2`J9niP#Dj&DEXr(5Behnd"
    "^f*1l_d{54%}!ul<&3i9wJKLA>M=1_n3^Z#OH#+{n0%JkcbDhr&9w_yqV~5?m-Vbessjv3tIJ~@w57{pg>i|ZU783clS^tR|Je"
)


def nearly(array, expected):
    """Whether pixels are those of an image but for what its compression loses."""
    return array.shape == expected.shape and np.abs(array.astype(int) - expected).mean() < 12
