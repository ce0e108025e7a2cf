"""Read configuration once, at the edge; nothing here runs on import.

navbook.toml in the current folder (or `--config FILE`, `NAVBOOK_CONFIG`), overridden by environment
variables `NAVBOOK_<KEY>`. Secrets are never in the file: see `keys`.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from navbook.errors import SettingsInvalid
from navbook.types import Environment

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOKS = CHECKOUT / "notebooks"
STABLECOINS = ("USDT", "USDC", "FDUSD", "TUSD", "USDP", "USD1", "DAI", "BUSD", "BFUSD", "RWUSD", "BNFCR")


def _account_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", name) or name == "all":
        raise ValueError("an account's name is 1 to 40 letters, digits, - or _, and not 'all'")
    return name


AccountName = Annotated[str, AfterValidator(_account_name)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rebalance(_Section):
    """When a benchmark goes back to its weights. UTC."""

    weekday: int = Field(0, ge=0, le=6)    # 0 = Monday
    hour: int = Field(12, ge=0, le=23)


class Benchmark(_Section):
    weights: dict[str, float] = {"BTC": 0.5, "ETH": 0.5}
    rebalance: Rebalance | Literal["never"] = Rebalance()
    withdrawal: Literal["benchmark", "share"] = "benchmark"    # what a withdrawal is a fraction of

    @model_validator(mode="after")
    def _weights_add_up(self) -> Self:
        if any(weight <= 0 for weight in self.weights.values()) or abs(sum(self.weights.values()) - 1) > 1e-9:
            raise ValueError(f"weights must be positive and add up to 1, not {self.weights}")
        return self


class Account(_Section):
    master: str | None = None              # the account that this one is a sub-account of
    benchmark: Benchmark | None = None     # none: the common one
    fee_rate: float = Field(0.0, ge=0, le=1)


class Group(_Section):
    accounts: list[str]


class Job(_Section):
    cron: str


class Keys(BaseModel):
    api_key: SecretStr        # prints as asterisks, in a saved notebook too
    api_secret: SecretStr


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="NAVBOOK_", extra="forbid", frozen=True)

    environment: Environment = Environment.SANDBOX    # real money needs a deliberate act
    sandbox_url: str | None = None                    # none: a command starts its own
    store: str = "data"
    runs: str = "runs"
    benchmark: Benchmark = Benchmark()
    accounts: dict[AccountName, Account] = {}
    groups: dict[str, Group] = {}
    jobs: dict[str, Job] = {}
    trade: dict[str, dict[str, Any]] = {}
    stablecoins: tuple[str, ...] = STABLECOINS        # count 1 USD
    tolerance: float = Field(0.005, ge=0)             # of NAV against the exchange's own total
    lookback_days: int = Field(90, ge=1, le=3650)     # of cash flows, at an account's first collection
    base: Path = Path()                               # where relative folders start: set by `load`
    file: Path | None = None                          # the navbook.toml that was read: set by `load`

    @classmethod
    def settings_customise_sources(cls, settings_cls: type[BaseSettings],
                                   init_settings: PydanticBaseSettingsSource,
                                   env_settings: PydanticBaseSettingsSource,
                                   dotenv_settings: PydanticBaseSettingsSource,
                                   file_secret_settings: PydanticBaseSettingsSource,
                                   ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @model_validator(mode="after")
    def _accounts_fit(self) -> Self:
        for name, account in self.accounts.items():
            if account.master is not None and account.master not in self.accounts:
                raise ValueError(f"accounts.{name}.master names {account.master}, which is no account")
        for name, group in self.groups.items():
            if strangers := set(group.accounts) - set(self.accounts):
                raise ValueError(f"groups.{name} names {', '.join(sorted(strangers))}, which is no account")
        variables = [variable_of(name) for name in self.accounts]
        if twins := {variable for variable in variables if variables.count(variable) > 1}:
            raise ValueError(f"two accounts would share the variables NAVBOOK_{min(twins)}_API_KEY")
        return self

    @property
    def location(self) -> str:
        """The store's place for this environment: a folder, or s3://bucket/prefix."""
        root = self.store if "://" in self.store else str((self.base / self.store).resolve())
        return f"{root.rstrip('/')}/{self.environment}"

    @property
    def runs_folder(self) -> Path:
        return (self.base / self.runs).resolve()

    @property
    def is_demo(self) -> bool:
        """Without a file and accounts, the sandbox's demo accounts are used."""
        return self.file is None and not self.accounts and self.environment is Environment.SANDBOX

    def names(self, account: str = "all") -> list[str]:
        """The accounts that `account` (a name, or all) means. Raises `SettingsInvalid`."""
        if account != "all" and account not in self.accounts:
            raise SettingsInvalid(f"There is no account {account}; there are {', '.join(self.accounts)}.")
        return list(self.accounts) if account == "all" else [account]

    def benchmark_of(self, account: str) -> Benchmark:
        own = self.accounts[account].benchmark if account in self.accounts else None
        return own or self.benchmark


def load(file: Path | str | None = None) -> Settings:
    """Settings from `file`, else `NAVBOOK_CONFIG`, else ./navbook.toml, else none.

    Raises `SettingsInvalid` naming the file and the key at fault.
    """
    named = file or os.environ.get("NAVBOOK_CONFIG")
    path = Path(named or "navbook.toml").resolve()
    if not path.is_file():
        if named:
            raise SettingsInvalid(f"There is no file {named}; write one, starting from navbook.example.toml.")
        return _validated({"base": Path.cwd()}, "The environment")
    if path.suffix == ".json":    # what a run keeps of its effective settings
        return _validated(json.loads(path.read_text(encoding="utf-8")), str(path))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsInvalid(f"{path} is not valid TOML: {problem}.") from problem
    if misplaced := content.keys() & {"base", "file"}:
        raise SettingsInvalid(f"{path}: {min(misplaced)} is not a setting.")
    config = _validated({**content, "base": path.parent, "file": path}, str(path))
    if not config.accounts:
        raise SettingsInvalid(f"{path} names no account; add a section such as [accounts.main].")
    return config


def _validated(content: Mapping[str, Any], source: str) -> Settings:
    try:
        return Settings(**content)
    except SettingsError as problem:
        raise SettingsInvalid(f"{source}: {problem}.") from problem
    except ValidationError as problem:
        faults = "; ".join(_fault(error) for error in problem.errors()[:3])
        raise SettingsInvalid(f"{source} cannot be used: {faults}.") from None


def _fault(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"] if part not in ("[key]", "Rebalance"))
    reason = {"extra_forbidden": "is not a setting"}.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{key} {reason}" if error["type"] == "extra_forbidden" else f"{key}: {reason}" if key else reason


def variable_of(account: str) -> str:
    """The middle of an account's environment variables: my-main -> MY_MAIN."""
    return re.sub(r"[^A-Z0-9]", "_", account.upper())


def keys(account: str, environment: Environment, variables: Mapping[str, str] | None = None) -> Keys:
    """The API key of `account`: NAVBOOK_<ACCOUNT>_API_KEY and _API_SECRET, or files named by …_FILE.

    For the testnet also BINANCE_TESTNET_API_KEY and _API_SECRET. Raises `SettingsInvalid`.
    """
    variables = os.environ if variables is None else variables
    prefixes = [f"NAVBOOK_{variable_of(account)}"]
    if environment is Environment.TESTNET:
        prefixes.append("BINANCE_TESTNET")
    for prefix in prefixes:
        values = [_secret(f"{prefix}_{part}", variables) for part in ("API_KEY", "API_SECRET")]
        if all(values):
            return Keys(api_key=SecretStr(values[0] or ""), api_secret=SecretStr(values[1] or ""))
    raise SettingsInvalid(f"No API key for account {account}: set {prefixes[0]}_API_KEY and "
                          f"{prefixes[0]}_API_SECRET (or …_FILE).")


def _secret(variable: str, variables: Mapping[str, str]) -> str | None:
    if value := variables.get(variable):
        return value.strip()
    if name := variables.get(f"{variable}_FILE"):
        try:
            return Path(name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or "not text"
            raise SettingsInvalid(f"{variable}_FILE names {name}, which cannot be read: {reason}.") from problem
    return None


def is_secret(variable: str) -> bool:
    """Whether an environment variable holds a key, or the path of one."""
    return re.fullmatch(r".*_API_(KEY|SECRET)(_FILE)?|SESSION_SECRET", variable) is not None


def without_secrets(variables: Mapping[str, str], keep_accounts: Iterable[str] = ()) -> dict[str, str]:
    """The environment of a child process that gets no keys but those of `keep_accounts`."""
    kept = {f"NAVBOOK_{variable_of(account)}_API_{part}{suffix}" for account in keep_accounts
            for part in ("KEY", "SECRET") for suffix in ("", "_FILE")}
    return {name: value for name, value in variables.items() if not is_secret(name) or name in kept}
