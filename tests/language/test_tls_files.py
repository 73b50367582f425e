"""The files of `tls`: each wrong one is rejected with the field that names it, and what to do."""

import json
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from answerback.document.document import load
from answerback.language.redaction import UNKNOWN, substitute
from answerback.language.tls_files import (
    Materials,
    key_of,
    read_materials,
    refuse_outside,
    rejected_by_clients,
    with_absolute_paths,
)
from answerback.tls.pairs import ENCRYPTED, load_pair, private, try_out
from answerback.tls.private_files import MOST, read
from answerback.v1 import config_pb2 as v1
from tests.certifying import FAR_OFF, LONG_AGO, Authority, Issued
from tests.language.configurations import listener, said

AT = "listeners[0].tls"
ENCODING_DER = 2  # of `_ssl`


@pytest.fixture
def issued(tmp_path: Path) -> Issued:
    return Authority(tmp_path).issue()


def config_of(issued: Issued, more: str = "") -> v1.Config:
    return listener(f"tls: {{cert: {issued.certificate}, key: {issued.key}{more}}}")


def problems(config: v1.Config, active: Materials | None = None) -> list[str]:
    return said(read_materials(config, active or {})[1])


def test_valid_pair_is_read_once_for_all_listeners_that_have_it(issued: Issued) -> None:
    config = config_of(issued)
    config.listeners.append(config.listeners[0])
    materials, wrong = read_materials(config, {})
    assert (len(materials), wrong) == (1, [])
    (material,) = materials.values()
    assert material.pairs[0][0].content == issued.certificate.read_bytes()
    assert issued.key.read_text().splitlines()[1] not in repr(material)


def encrypt(issued: Issued) -> str:
    command = ["openssl", "pkey", "-in", str(issued.key), "-aes256", "-passout", "pass:x"]
    issued.key.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return f"{AT}.key: cannot be used: {issued.key}: {ENCRYPTED}"


def remove(issued: Issued) -> str:
    issued.key.unlink()
    return f"{AT}.key: cannot be used: {issued.key}: No such file or directory"


def replace_by_a_directory(issued: Issued) -> str:
    issued.certificate.unlink()
    issued.certificate.mkdir()
    return f"{AT}.cert: cannot be used: {issued.certificate}: Is a directory"


def write_garbage(issued: Issued) -> str:
    issued.certificate.write_bytes(b"not PEM\n")
    return f"{AT}.cert: cannot be used: {issued.certificate}: contains no PEM certificate"


def take_the_key_of_another(issued: Issued) -> str:
    other = Authority(issued.key.parent, "other").issue()
    issued.key.write_bytes(other.key.read_bytes())
    return f"{AT}.key: cannot be used: {issued.key}: does not belong to the first certificate in {issued.certificate}"


def put_the_authority_first(issued: Issued) -> str:
    authority = (issued.certificate.parent / "ca.pem").read_bytes()
    issued.certificate.write_bytes(authority + issued.certificate.read_bytes())
    return f"{AT}.key: cannot be used: {issued.key}: does not belong to the first certificate in {issued.certificate}"


def weaken(issued: Issued) -> str:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak"]
    subprocess.run(
        [*command, "-keyout", str(issued.key), "-out", str(issued.certificate)], check=True, capture_output=True
    )
    return (
        f"{AT}.cert: cannot be used: {issued.certificate}: its key is too weak; use RSA with 2048 bits or more, "
        "or ECDSA, or serve it anyway by `ciphers: DEFAULT@SECLEVEL=0`"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        encrypt,
        remove,
        replace_by_a_directory,
        write_garbage,
        take_the_key_of_another,
        put_the_authority_first,
        weaken,
    ],
)
def test_wrong_file_is_rejected_with_its_field(issued: Issued, spoil: Callable[[Issued], str]) -> None:
    problem = spoil(issued)
    assert problems(config_of(issued)) == [problem]


def test_weak_key_can_be_served_with_lower_security(issued: Issued) -> None:
    weaken(issued)
    assert problems(config_of(issued, ', ciphers: "DEFAULT@SECLEVEL=0"')) == []


def test_wrong_authority_of_clients_is_rejected(issued: Issued) -> None:
    assert problems(config_of(issued, f", client_ca: {issued.key}")) == [
        f"{AT}.client_ca: cannot be used: {issued.key}: contains no PEM certificate"
    ]


def test_wrong_files_of_further_names_are_rejected(issued: Issued, tmp_path: Path) -> None:
    more = f", sni: [{{name: b.test, cert: {issued.certificate}, key: {tmp_path}/none.key}}]"
    assert problems(config_of(issued, more)) == [
        f"{AT}.sni[0].key: cannot be used: {tmp_path}/none.key: No such file or directory"
    ]


def test_all_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    assert problems(config_of(Issued(tmp_path / "a", tmp_path / "b"))) == [
        f"{AT}.cert: cannot be used: {tmp_path}/a: No such file or directory",
        f"{AT}.key: cannot be used: {tmp_path}/b: No such file or directory",
    ]


def test_problem_has_nothing_of_a_key(issued: Issued) -> None:
    secret = issued.key.read_text()
    issued.key.write_text(secret.replace("PRIVATE", "PIRATE"))
    (problem,) = problems(config_of(issued))
    assert not any(line in problem for line in secret.splitlines()[1:-1])


def test_active_certificates_are_used_while_their_files_are_wrong(issued: Issued) -> None:
    config = config_of(issued)
    active, _ = read_materials(config, {})
    issued.key.unlink()
    materials, wrong = read_materials(config, active)
    assert (materials, wrong) == (active, [])


@pytest.mark.parametrize(
    "times, said_of",
    [
        ({"not_before": LONG_AGO, "not_after": LONG_AGO.replace(year=2021)}, "certificate has expired"),
        ({"not_before": FAR_OFF, "not_after": FAR_OFF.replace(year=2091)}, "certificate is not yet valid"),
    ],
)
def test_certificate_that_clients_reject_is_a_warning(tmp_path: Path, times: dict[str, object], said_of: str) -> None:
    config = config_of(Authority(tmp_path).issue("bad", **times))
    materials, wrong = read_materials(config, {})
    assert wrong == []
    assert said([*rejected_by_clients(config, materials)]) == [
        f"{AT}.cert: clients that verify it reject it: {said_of}"
    ]


def test_good_certificate_is_no_warning(issued: Issued) -> None:
    config = config_of(issued)
    assert [*rejected_by_clients(config, read_materials(config, {})[0])] == []


def in_order(tmp_path: Path, *order: int) -> tuple[trustme.CA, Issued]:
    """A certificate, that of the authority B that has signed it, and that of A, which has signed B's, in some order.

    The root has signed A's.
    """
    root = trustme.CA()
    leaf = root.create_child_ca().create_child_ca().issue_cert("localhost")
    issued = Issued(tmp_path / "chain.pem", tmp_path / "chain.key")
    issued.certificate.write_bytes(b"".join(leaf.cert_chain_pems[place].bytes() for place in order))
    leaf.private_key_pem.write_to_path(issued.key)
    return root, issued


@pytest.mark.parametrize(
    "order, said_of",
    [
        ((0, 2, 1), "certificate 3 in it has signed certificate 1: put it right behind that one"),
        ((0, 1, 2), ""),
        ((0, 1), ""),
        ((0, 2), ""),  # one is missing: there is no order that is right
    ],
)
def test_chain_out_of_order_is_a_warning(tmp_path: Path, order: tuple[int, ...], said_of: str) -> None:
    config = config_of(in_order(tmp_path, *order)[1])
    materials, wrong = read_materials(config, {})
    assert wrong == []
    expected = [f"{AT}.cert: some clients reject it: {said_of}"] if said_of else []
    assert said([*rejected_by_clients(config, materials)]) == expected


def test_chain_out_of_order_is_served_as_it_is(tmp_path: Path) -> None:
    root, issued = in_order(tmp_path, 0, 2, 1)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(server, read(issued.certificate), read(issued.key))
    client = try_out(server, private(Path("root.pem"), root.cert_pem.bytes()))  # OpenSSL's finds its way to the root
    served = client._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # public from Python 3.13 on
    got = "".join(ssl.DER_cert_to_PEM_cert(each.public_bytes(ENCODING_DER)) for each in served)
    assert got == issued.certificate.read_text()


def test_paths_become_absolute_and_stay_so(tmp_path: Path) -> None:
    config = listener("tls: {cert: a.crt, key: ../k/a.key, client_ca: /etc/ca, sni: [{name: n, cert: b, key: b}]}")
    made = with_absolute_paths(config, tmp_path / "conf")
    tls = made.listeners[0].tls
    assert (tls.cert, tls.key, tls.client_ca) == (f"{tmp_path}/conf/a.crt", f"{tmp_path}/k/a.key", "/etc/ca")
    assert (tls.sni[0].cert, tls.sni[0].key) == (f"{tmp_path}/conf/b", f"{tmp_path}/conf/b")
    assert config.listeners[0].tls.cert == "a.crt"
    assert with_absolute_paths(made, Path("/elsewhere")) == made
    assert key_of(tls) != key_of(config.listeners[0].tls)


def test_links_out_of_the_folder_are_refused_and_those_within_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (tmp_path / "secret").touch()
    (folder / "out").symlink_to(tmp_path / "secret")
    (folder / "real").touch()
    (folder / "in").symlink_to("real")
    refuse_outside(folder, str(folder / "in"))
    for name in (folder / "out", tmp_path / "secret", folder / ".." / "secret"):
        with pytest.raises(OSError, match="it is outside the directory of `serve --files`"):
            refuse_outside(folder, str(name))
    with pytest.raises(OSError, match="without `serve --files DIR`"):
        refuse_outside(None, "anything")


def inline(certificate: str, key: str, more: str = "") -> v1.Config:
    """A listener whose certificate and key are in the configuration."""
    return listener(f"tls: {{cert_pem: {json.dumps(certificate)}, key_pem: {json.dumps(key)}{more}}}")


def test_what_the_configuration_contains_is_used_like_files(issued: Issued) -> None:
    certificate, key = issued.certificate.read_text(), issued.key.read_text()
    authority = json.dumps(certificate)
    config = inline(
        certificate,
        key,
        f", client_ca_pem: {authority}, sni: [{{name: b.test, cert_pem: {authority}, key: {issued.key}}}]",
    )
    materials, wrong = read_materials(config, {})
    assert wrong == []
    (material,) = materials.values()
    assert [(cert.content, own.content) for cert, own in material.pairs] == [
        (certificate.encode(), key.encode()),
        (certificate.encode(), key.encode()),
    ]
    assert material.ca is not None
    assert material.ca.content == certificate.encode()
    assert with_absolute_paths(config, Path("/folder")).listeners[0].tls.key_pem == key


def encrypted(key: str) -> str:
    command = ["openssl", "pkey", "-aes256", "-passout", "pass:x"]
    return subprocess.run(command, input=key, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    "certificate, key, problem",
    [
        ("own", "other", "key_pem: cannot be used: does not belong to the first certificate in cert_pem"),
        ("own", "encrypted", f"key_pem: cannot be used: {ENCRYPTED}"),
        ("own", "garbage", "key_pem: cannot be used: contains no PEM private key without a passphrase"),
        ("own", "certificate", "key_pem: cannot be used: contains no PEM private key without a passphrase"),
        ("garbage", "own", "cert_pem: cannot be used: contains no PEM certificate"),
        ("key", "own", "cert_pem: cannot be used: contains no PEM certificate"),
        ("own", "redacted", f"key_pem: cannot be used: {UNKNOWN}"),
        ("own", "long", f"key_pem: cannot be used: has more than {MOST} bytes"),
    ],
)
def test_wrong_content_is_rejected_with_its_field_and_place(
    issued: Issued, tmp_path: Path, certificate: str, key: str, problem: str
) -> None:
    first, own = issued.certificate.read_text(), issued.key.read_text()
    keys = {
        "own": own,
        "other": Authority(tmp_path, "other").issue().key.read_text(),
        "encrypted": encrypted(own),
        "garbage": "gärbage",
        "certificate": first,
        "redacted": substitute(own),
        "long": own + "\n" * MOST,
    }
    given = {"own": first, "garbage": "gärbage", "key": own}[certificate]
    assert problems(inline(given, keys[key])) == [f"{AT}.{problem}"]
    tls = f"  tls:\n    key_pem: {json.dumps(keys[key])}\n    cert_pem: {json.dumps(given)}\n"
    document = load(f"listeners:\n- name: a\n  address: 127.0.0.1:1\n{tls}".encode())
    (found,) = document.located(read_materials(document.config, {})[1])
    assert (found.line, found.column) == ((5, 14) if problem.startswith("key") else (6, 15))
    assert not any(line in str(found) for line in own.splitlines()[1:-1])


@pytest.mark.parametrize("field", ["cert", "key", "client_ca"])
def test_content_in_place_of_a_name_is_not_taken_for_one(issued: Issued, field: str) -> None:
    config = config_of(issued, f", client_ca: {issued.certificate}")
    setattr(config.listeners[0].tls, field, issued.key.read_text())
    assert problems(with_absolute_paths(config, Path("/folder"))) == []  # `check_tls` reports it


def test_file_and_content_of_an_upstream_are_used_together(issued: Issued) -> None:
    own = f"cert: {issued.certificate}, key_pem: {json.dumps(issued.key.read_text())}"
    authority = json.dumps(issued.certificate.read_text())
    config = listener(f"upstream: {{address: 'a:1', tls: {{{own}, ca_pem: {authority}}}}}")
    materials, wrong = read_materials(config, {})
    assert wrong == []
    (material,) = materials.values()
    assert material.pairs[0][1].content == issued.key.read_bytes()
    assert material.ca is not None
    assert material.ca.content == issued.certificate.read_bytes()
