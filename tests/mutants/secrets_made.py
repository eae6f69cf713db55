"""Mutants of what makes a release's secrets in a cluster."""

from tests.mutants.mutant import Mutant

_MAIN = "tests/unit/cluster_secrets/test_main.py"
_CERTIFICATES = "tests/unit/cluster_secrets/test_certificates.py"

SECRETS_MADE = {
    "readers-not-told": Mutant(
        "cluster_secrets/wanted.py",
        '{TO_TELL: "yes"} if made else {}',
        "{}",
        f"{_MAIN}::test_other_passwords_of_a_part_restart_who_reads_them_and_nobody_else",
    ),
    "readers-forgotten": Mutant(
        "cluster_secrets/__main__.py",
        'if TO_TELL in (one["metadata"].get("annotations") or {})}',
        "if not one}",
        f"{_MAIN}::test_a_run_that_is_interrupted_before_it_has_told_the_readers_is_gone_on_with",
    ),
    "secret-overwritten": Mutant(
        "cluster_secrets/wanted.py",
        'version = {"resourceVersion": there["resourceVersion"]}',
        "version: Object = {}",
        f"{_MAIN}::test_a_secret_that_changes_meanwhile_is_not_overwritten",
    ),
    "authority-with-another-id": Mutant(
        "cluster_secrets/certificates.py",
        "subject, own_id = former.subject, former_id",
        "subject = former.subject",
        f"{_CERTIFICATES}::test_an_authority_whose_id_somebody_else_has_chosen_keeps_it_when_it_is_renewed",
    ),
    "certificate-for-anyone": Mutant(
        "cluster_secrets/certificates.py",
        "authority.has_signed(certificate) and _is_for(certificate, wanted)",
        "authority.has_signed(certificate)",
        f"{_CERTIFICATES}::test_another_certificate_is_made_where_the_one_that_is_there_does_not_serve",
    ),
}
