"""Content Credentials (C2PA): a signature in a video that says what made it, and that nobody changed it since."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from speechhead.core.disk import reason
from speechhead.core.errors import MediaError

SIGNED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".gif": "image/gif"}
"""Endings of files that can hold a signature, and their media types; WebM, Matroska and APNG can not."""

SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""IPTC's vocabulary of how a picture came about."""

FILM = "xmp:iid:source"
"""What the film that got new words is called within a signature."""

CURVES = {"secp256r1": b"es256", "secp384r1": b"es384", "secp521r1": b"es512"}
"""Algorithms of signatures, by the curve of the key."""

CHAIN = 256 * 1024
"""Most bytes of a file of certificates, or of a key."""


@contextlib.contextmanager
def signing(pair: tuple[str, str] | None, target: Path, film: str | Path | None = None) -> Iterator[None]:
    """Sign the file that is made meanwhile, unless making it fails.

    Parameters
    ----------
    pair : files of the certificates, the signer's first, and of its key, both PEM; None signs nothing
    target : the file; film : what it was made from, where that was a film

    Raises
    ------
    MediaError, before anything is made, for what can not sign or be signed.
    """
    if pair is None:
        yield
        return
    check_signed(target)
    signer = FileSigner(*pair)
    yield
    signer.sign(target, film)


def check_signed(target: Path) -> None:
    """MediaError for a name of a file that holds no signature."""
    if target.suffix.lower() not in SIGNED:
        raise MediaError(f"{target}: '{target.suffix}' holds no C2PA signature. Use {', '.join(SIGNED)}.")


class FileSigner:
    """Signs files with an operator's certificate.

    Parameters
    ----------
    certificates : PEM file, the signer's own certificate first, then those that lead to its authority
    key : PEM file of its private key, not encrypted

    Raises
    ------
    MediaError unless both are usable; that is tried on a picture of a few bytes.
    """

    def __init__(self, certificates: str | Path, key: str | Path) -> None:
        try:
            import c2pa
        except ImportError as error:
            raise MediaError("--c2pa needs its library. pip install 'speechhead[c2pa]'.") from error
        self._c2pa, self._place = c2pa, str(certificates)
        self._chain, self._key = _pem(certificates), _pem(key)
        self._algorithm = _algorithm(self._key, key)
        done, picture = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))
        assert done
        self._sign(io.BytesIO(bytes(picture)), "image/jpeg", io.BytesIO(), None)

    def sign(self, target: Path, film: str | Path | None = None) -> None:
        """Sign a file in place; the film that it was made from is named by its content, and by its own signature."""
        part = None
        try:
            mode = target.stat().st_mode
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.stem[:40]}.", suffix=".part")
            part = Path(name)
            with open(target, "rb") as source, os.fdopen(handle, "w+b") as signed:
                self._sign(source, SIGNED[target.suffix.lower()], signed, film)
            part.chmod(mode & 0o777)
            os.replace(part, target)
        except OSError as error:
            raise MediaError(f"{target}: is made, but not signed ({reason(error)}).") from error
        finally:
            if part is not None:
                part.unlink(missing_ok=True)

    def _sign(self, source: Any, kind: str, target: Any, film: str | Path | None) -> None:
        try:
            info = self._c2pa.C2paSignerInfo(self._algorithm, self._chain, self._key, None)
            with self._c2pa.Signer.from_info(info) as signer, contextlib.ExitStack() as stack:
                known = film is not None and Path(film).suffix.lower() in SIGNED
                builder = stack.enter_context(self._c2pa.Builder(json.dumps(_manifest(film is not None, known))))
                if film is not None and known:
                    about = {"title": "source", "relationship": "parentOf", "instance_id": FILM}
                    opened = stack.enter_context(open(film, "rb"))
                    builder.add_ingredient(json.dumps(about), SIGNED[Path(film).suffix.lower()], opened)
                builder.sign(signer, kind, source, target)
        except self._c2pa.C2paError as error:
            why = " ".join(str(error).split())[:160].rstrip(".")
            raise MediaError(f"{self._place}: can not sign ({why}). See docs/credentials.md.") from error


def _manifest(composite: bool, known: bool) -> dict[str, Any]:
    """What is claimed: made by a model, or a film of which a model changed the mouth."""
    kind = f"{SOURCES}{'compositeWithTrainedAlgorithmicMedia' if composite else 'trainedAlgorithmicMedia'}"
    actions: list[dict[str, Any]] = [{"action": "c2pa.created", "digitalSourceType": kind}]
    if known:
        actions = [
            {"action": "c2pa.opened", "parameters": {"ingredientIds": [FILM]}},
            {"action": "c2pa.edited", "digitalSourceType": kind},
        ]
    assertion = {"label": "c2pa.actions", "data": {"actions": actions}}
    return {"claim_generator_info": [{"name": "speechhead"}], "assertions": [assertion]}


def _pem(file: str | Path) -> bytes:
    try:
        with open(file, "rb") as opened:
            content = opened.read(CHAIN + 1)
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "no name of a file"
        raise MediaError(f"{file}: {why}. Give --c2pa a PEM file of certificates and one of a key.") from None
    if b"-----BEGIN " not in content or len(content) > CHAIN:
        raise MediaError(f"{file}: is no PEM file. Give --c2pa one of certificates and one of a key.")
    return content


def _algorithm(key: bytes, file: str | Path) -> bytes:
    """What a key signs by."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        loaded = load_pem_private_key(key, None)
    except Exception:  # several kinds, by what is wrong
        raise MediaError(f"{file}: is no private key, or an encrypted one. Give --c2pa CERT KEY, in PEM.") from None
    if isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.curve.name in CURVES:
        return CURVES[loaded.curve.name]
    if isinstance(loaded, rsa.RSAPrivateKey):
        return b"ps256"
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    raise MediaError(f"{file}: C2PA knows no such key. Use EC (P-256, P-384, P-521), RSA or Ed25519.")
