"""Shared credentials in the settings: every mistake is told by the name of the variable, never by its value."""

from pathlib import Path

import pytest

from heliograph.bootstrap.settings import SettingsError, load

GOOD = {
    "HELIOGRAPH_CREDENTIAL__SUNSHINE__PROVIDER": "sunshine",
    "HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_ID": "act_1",
    "HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET": "s3cretvalue",
}


def test_it_is_read_from_variables_and_from_the_file_and_a_variable_wins(tmp_path: Path) -> None:
    file = tmp_path / "heliograph.toml"
    file.write_text('[credential.sunshine]\nprovider = "sunshine"\nkey_id = "act_0"\nkey_secret = "other"\n')
    assert load(GOOD, file=file).credential["sunshine"] == {"provider": "sunshine", "key_id": "act_1", "key_secret": "s3cretvalue"}
    assert load({}, file=file).credential["sunshine"]["key_id"] == "act_0"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRTE": "s3cretvalue"}, "Did you mean key_secret"),
        ({"HELIOGRAPH_CREDENTIAL__SUNSHINE__PROVIDER": "sunshin"}, "PROVIDER must be one of"),
        ({"HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET": "'s3cretvalue'"}, "KEY_SECRET is wrapped in quotes"),
        ({"HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET": "${SECRET}"}, "KEY_SECRET holds a variable that was not replaced"),
        ({"HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET": "s3cretvalue\n"}, "KEY_SECRET has blanks or line breaks"),
        ({"HELIOGRAPH_CREDENTIAL__SUNSHINE__KEY_SECRET": ""}, "KEY_SECRET is empty"),
        ({"HELIOGRAPH_CREDENTIAL_SUNSHINE_KEY_ID": "x"}, "is not a setting"),
        ({"HELIOGRAPH_CREDENTIAL__OTHER__PROVIDER": "telegram"}, "OTHER__TOKEN is missing"),
        ({"HELIOGRAPH_CREDENTIAL__sun-shine__PROVIDER": "telegram"}, "small letters"),
    ],
)
def test_a_mistake_is_told(change: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(GOOD | change)
    assert told in str(caught.value)
    assert "s3cretvalue" not in str(caught.value)
