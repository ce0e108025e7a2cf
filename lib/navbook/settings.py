"""Read configuration once, at the edge; nothing here runs on import.

navbook.toml in the current folder (or `--config FILE`, `NAVBOOK_CONFIG`), overridden by environment
variables `NAVBOOK_<KEY>`; a table there, as JSON, replaces those of its keys that it names. Secrets are
never in the file: see `keys`.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from navbook import redaction
from navbook.errors import SettingsInvalid
from navbook.job import OURS, Job, JobName, Section
from navbook.types import OWN_BENCHMARK, Environment

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOKS = CHECKOUT / "notebooks"
ANY_TESTNET_ACCOUNT = "BINANCE_TESTNET"    # the variables' beginning for accounts that have none of their own
DEMO_BENCHMARKS = {    # beside the accounts' own, where no file says otherwise
    "hold": {"rebalance": "never"}, "bitcoin": {"weights": {"BTC": 1.0}, "rebalance": "never"},
    "ether": {"weights": {"ETH": 1.0}, "rebalance": "never"}, "cash": {"weights": {"USDT": 1.0}, "rebalance": "never"}}
BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[\w!.*'()/-]*)?")
DASHBOARDS_TOKEN = "NAVBOOK_DASHBOARDS_TOKEN"    # noqa: S105  (a variable's name)
BUCKET_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")    # of a store in a bucket
SECRET = re.compile(r".*_API_(KEY|SECRET)(_FILE)?|.*SESSION_SECRET(_FILE)?|NAVBOOK_ALERTS_URLS(_FILE)?"
                    rf"|NAVBOOK_HEARTBEAT_URL|{DASHBOARDS_TOKEN}(_FILE)?|{'|'.join(BUCKET_KEYS)}",
                    re.IGNORECASE)    # variables that no log gets, and no kernel that does not need them
SHORTEST_TOKEN = 16
SET_BY_LOAD = frozenset({"base", "file"})
MASKED = str(SecretStr("any"))    # what stands for a secret in the record of a run
STABLECOINS = ("USDT", "USDC", "FDUSD", "TUSD", "USDP", "USD1", "DAI", "BUSD", "BFUSD", "RWUSD", "BNFCR")


def _account_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", name) or name == "all":
        raise ValueError("an account's name is 1 to 40 letters, digits, - or _, and not 'all'")
    return name


def _web_address(address: str) -> str:
    """An address without a path: orders go below it, and whether it is a sandbox was asked at its root."""
    parts = urlsplit(address)
    if not _can_be_asked(address) or parts.query or parts.path.strip("/") or (parts.hostname or "").endswith("."):
        raise ValueError(f"must be an address such as http://127.0.0.1:8600, not {address!r}")
    return address


def _can_be_asked(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
                and not re.search(r"[\s{}]|[^\x20-\x7e]", address))
    except ValueError:    # a port that is no number
        return False


AccountName = Annotated[str, AfterValidator(_account_name)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class Rebalance(Section):
    """When a benchmark goes back to its weights. UTC."""

    weekday: int = Field(0, ge=0, le=6)    # 0 = Monday
    hour: int = Field(12, ge=0, le=23)


def _kind_of_rebalance(value: Any) -> str:
    return "word" if isinstance(value, str) else "table"


When = Annotated[Annotated[Rebalance, Tag("table")] | Annotated[Literal["never"], Tag("word")],
                 Discriminator(_kind_of_rebalance)]


class Benchmark(Section):
    """What an account is measured by: [benchmark]."""

    weights: dict[str, float] = Field({"BTC": 0.5, "ETH": 0.5})
    rebalance: When = Rebalance()
    withdrawal: Literal["benchmark", "share"] = "benchmark"    # what a withdrawal is a fraction of

    @field_validator("weights")
    @classmethod
    def _add_up(cls, weights: dict[str, float]) -> dict[str, float]:
        if not (all(weight > 0 for weight in weights.values()) and abs(sum(weights.values()) - 1) <= 1e-9):
            raise ValueError(f"weights must be positive and add up to 1, not {weights}")
        if wrong := [asset for asset in weights if asset != asset.upper()]:
            raise ValueError(f"assets are written as Binance does, {wrong[0].upper()}, not {wrong[0]}")
        return weights


class Account(Section):
    """One Binance account: [accounts.NAME]."""

    master: str | None = None              # the account that this one is a sub-account of
    benchmark: Benchmark | None = None     # none: the common one
    fee_rate: float = Field(0.0, ge=0, le=1)


class Group(Section):
    """Accounts that are summed up as one: [groups.NAME]."""

    accounts: list[str] = Field(min_length=1)
    benchmark: Benchmark | None = None     # none: the common one

    @field_validator("accounts")
    @classmethod
    def _each_once(cls, accounts: list[str]) -> list[str]:
        if twice := sorted({name for name in accounts if accounts.count(name) > 1}):
            raise ValueError(f"names {', '.join(twice)} twice")
        return accounts


class Fees(Section):
    """When performance fees fall due. UTC."""

    every: Literal["month", "day", "hour"] = "month"
    day: int = Field(1, ge=1, le=28)       # of the month
    hour: int = Field(0, ge=0, le=23)


class Alerts(Section):
    """Where trouble is told, and how far NAV may be from the benchmark before it is one."""

    urls: tuple[SecretStr, ...] = ()             # of apprise; those with a token: NAVBOOK_ALERTS_URLS, or …_FILE
    nav_warning: float = Field(5_000, gt=0)      # USD, ahead or behind
    nav_critical: float = Field(10_000, gt=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.nav_critical < self.nav_warning:
            raise ValueError(f"nav_critical ({self.nav_critical:g}) is below nav_warning ({self.nav_warning:g})")
        return self


def _scheduler(address: str) -> str:
    parts = urlsplit(address)
    if not re.fullmatch(r"(tcp|tls)://[\w.:\[\]-]+:\d+", address) or not parts.hostname:
        raise ValueError(f"must be the address of a Dask scheduler such as tcp://10.0.0.5:8786, not {address!r}")
    return address


class Backtest(Section):
    """Where the sweeps of backtests run."""

    dask: Annotated[str, AfterValidator(_scheduler)] | None = None    # none: in the process that asks


class Keep(Section):
    """How long what is no fact is kept."""

    logs_days: int = Field(30, ge=1)
    logs_rows: int = Field(100_000, ge=1)
    runs_days: int = Field(90, ge=1)       # run folders
    backups: int = Field(30, ge=1)         # but for those made before a deletion or an upgrade, which stay
    versions_days: int = Field(30, ge=1, le=30)    # older table versions, for `navbook reproduce`; Delta's own limit


class Keys(BaseModel):
    """An API key and its secret."""

    api_key: SecretStr        # prints as asterisks, in a saved notebook too
    api_secret: SecretStr


class Settings(BaseSettings):
    """Everything that navbook.toml may say, with its defaults; made by `load`."""

    model_config = SettingsConfigDict(env_prefix="NAVBOOK_", env_ignore_empty=True, extra="forbid", frozen=True,
                                      ser_json_inf_nan="constants")    # a run keeps what was said, not null

    environment: Environment = Environment.SANDBOX    # real money needs a deliberate act
    sandbox_url: WebAddress | None = None             # none: a command starts its own
    store: str = "data"
    runs: str = "runs"
    vault: str = "navbook.vault"                      # the file of encrypted keys
    benchmark: Benchmark = Benchmark()
    benchmarks: dict[AccountName, Benchmark] = {}     # further ones, beside the account's own
    accounts: dict[AccountName, Account] = {}
    groups: dict[AccountName, Group] = {}
    fees: Fees = Fees()
    alerts: Alerts = Alerts()
    heartbeat_url: SecretStr | None = None            # asked after each success: a dead machine cannot alert
    backups: str | None = None                        # a folder; none: backups, beside the environments of the store
    keep: Keep = Keep()
    backtest: Backtest = Backtest()
    jobs: dict[JobName, Job] = {}
    trade: dict[str, dict[str, Any]] = {}
    stablecoins: tuple[str, ...] = STABLECOINS        # count 1 USD
    tolerance: float = Field(0.005, ge=0, lt=1)       # of NAV against the exchange's own total
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
        return (init_settings,)    # the environment comes in through `load` alone, once

    @field_validator("store")
    @classmethod
    def _folder_or_bucket(cls, store: str) -> str:
        if "://" in store and not BUCKET.fullmatch(store):
            raise ValueError(f"must be a folder or s3://bucket/prefix; a bucket's key is in {BUCKET_KEYS[0]} and "
                             f"{BUCKET_KEYS[1]} of the environment")
        return store

    @field_validator("heartbeat_url")
    @classmethod
    def _heartbeat(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and url.get_secret_value() != MASKED and not _can_be_asked(url.get_secret_value()):
            raise ValueError("must be an address such as https://hc.example/ping/1234")
        return url

    @field_validator("runs", "vault", "backups")
    @classmethod
    def _on_this_machine(cls, place: str | None) -> str | None:
        if place and "://" in place:
            raise ValueError("must be on this machine: of all that is kept, the store alone can be in a bucket")
        return place

    @model_validator(mode="after")
    def _accounts_fit(self) -> Self:
        for name, account in self.accounts.items():
            if account.master is not None and account.master not in self.accounts:
                raise ValueError(f"accounts.{name}.master names {account.master}, which is no account")
            if account.master is not None and self.accounts[account.master].master is not None:
                raise ValueError(f"accounts.{name}.master names {account.master}, which is a sub-account itself")
        for name, group in self.groups.items():
            if name in self.accounts:
                raise ValueError(f"groups.{name} has the name of an account")
            if strangers := set(group.accounts) - set(self.accounts):
                raise ValueError(f"groups.{name} names {', '.join(sorted(strangers))}, which is no account")
        if OWN_BENCHMARK in self.benchmarks:
            raise ValueError(f"benchmarks.{OWN_BENCHMARK} has the name of an account's own benchmark; give it another")
        variables = [variable_of(name) for name in self.accounts]
        if twins := {variable for variable in variables if variables.count(variable) > 1}:
            raise ValueError(f"two accounts would share the variables NAVBOOK_{min(twins)}_API_KEY")
        return self

    @model_validator(mode="after")
    def _jobs_fit(self) -> Self:
        for name, job in self.jobs.items():
            if job.notebook is None and name not in OURS:
                raise ValueError(f"jobs.{name}.notebook must be {', '.join(OURS)} or the file of a notebook")
            if strangers := set(job.then) - self.job_names or {name} & set(job.then):
                raise ValueError(f"jobs.{name}.then names {', '.join(sorted(strangers))}, which cannot follow it")
        return self

    @property
    def job_names(self) -> set[str]:
        """Every job that can run: those of navbook.toml, and ours."""
        return {*self.jobs, *OURS}

    def knows(self, name: str) -> bool:
        """Whether navbook.toml names this account or group; where it names none, as in the demo, all are known."""
        return not self.accounts or name in self.accounts or name in self.groups

    @property
    def in_bucket(self) -> bool:
        """Whether the store is of object storage, not of this disk."""
        return "://" in self.store

    @property
    def location(self) -> str:
        """The store's place for this environment: a folder, or s3://bucket/prefix."""
        root = self.store if self.in_bucket else str(self._folder(self.store))
        return f"{root.rstrip('/')}/{self.environment}"

    @property
    def runs_folder(self) -> Path:
        return self._folder(self.runs)

    @property
    def logs_folder(self) -> Path:
        """With the store's environment; of a store in a bucket, with the runs."""
        return self.runs_folder / "logs" / self.environment if self.in_bucket else Path(self.location) / "logs"

    @property
    def backups_folder(self) -> Path:
        if self.backups:
            return self._folder(self.backups)
        return (self.runs_folder if self.in_bucket else Path(self.location).parent) / "backups"

    @property
    def vault_file(self) -> Path:
        return self._folder(self.vault)

    def _folder(self, name: str) -> Path:
        return (self.base / Path(name).expanduser()).resolve()

    @property
    def is_demo(self) -> bool:
        """Without a file and accounts, the sandbox's demo accounts are used."""
        return self.file is None and not self.accounts and self.environment is Environment.SANDBOX

    def names(self, account: str = "all") -> list[str]:
        """The accounts that `account` (a name, or all) means. Raises `SettingsInvalid`."""
        if account != "all" and account not in self.accounts:
            raise SettingsInvalid(f"There is no account {account}; there are {', '.join(self.accounts) or 'none'}.")
        return list(self.accounts) if account == "all" else [account]

    def job(self, name: str) -> Job:
        """The job `name`, with its notebook; ours need no section. Raises `SettingsInvalid`."""
        if name not in self.job_names:
            raise SettingsInvalid(f"There is no job {name}; there are {', '.join(dict.fromkeys([*self.jobs, *OURS]))}.")
        return self.jobs.get(name, Job()).named(name)

    def notebook(self, job: Job) -> Path:
        """The file of its notebook: one of ours, or beside navbook.toml."""
        return NOTEBOOKS / f"{job.notebook}.ipynb" if job.notebook in OURS else self._folder(str(job.notebook))

    def benchmark_of(self, account: str) -> Benchmark:
        section = self.accounts.get(account) or self.groups.get(account)
        return (section and section.benchmark) or self.benchmark


def load(file: Path | str | None = None) -> Settings:
    """Settings from `file`, else `NAVBOOK_CONFIG`, else ./navbook.toml, else none.

    Raises `SettingsInvalid` naming the file and the key at fault, or the variable.
    """
    named = file or os.environ.get("NAVBOOK_CONFIG")
    path = Path(named or "navbook.toml").resolve()
    if not path.is_file():
        if named:
            raise SettingsInvalid(f"There is no file {named}; write one, starting from navbook.example.toml.")
        return _validated({"base": Path.cwd(), "benchmarks": DEMO_BENCHMARKS}, "The environment")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise SettingsInvalid(f"{path} is not valid TOML: {problem}.") from problem
    except OSError as problem:
        raise SettingsInvalid(f"{path} cannot be read: {problem.strerror}.") from problem
    return _effective(text, path) if path.suffix == ".json" else parse(text, path)


def _effective(text: str, path: Path) -> Settings:
    """Settings as a run keeps them beside its record. Raises `SettingsInvalid`."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise SettingsInvalid(f"{path} is not valid JSON: {problem}.") from None
    if not isinstance(content, dict):
        raise SettingsInvalid(f"{path} holds no settings.")
    return _validated(content, str(path))


def parse(text: str, path: Path) -> Settings:
    """Settings from `text`, which stands (or shall stand) in the navbook.toml at `path`. Raises `SettingsInvalid`."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise SettingsInvalid(f"{path} is not valid TOML: {problem}.") from problem
    if misplaced := content.keys() & SET_BY_LOAD:
        raise SettingsInvalid(f"{path}: {min(misplaced)} is not a setting.")
    config = _validated({**content, "base": path.parent, "file": path}, str(path))
    if not config.accounts:
        raise SettingsInvalid(f"{path} names no account; add a section such as [accounts.main].")
    return config


def on_cluster(config: Settings, address: str) -> Settings:
    """`config` with the sweeps of its backtests on the Dask scheduler at `address`. Raises `SettingsInvalid`."""
    try:
        return config.model_copy(update={"backtest": Backtest(dask=address)})
    except ValidationError as problem:
        raise SettingsInvalid(f"--{_fault(problem.errors()[0], {})}.") from None


def _validated(content: Mapping[str, Any], source: str) -> Settings:
    variables = _variables()
    redaction.remember(*map(os.environ.get, BUCKET_KEYS))
    content = _over(content, variables)
    if torn := next((key for key, value in content.items() if not _is_whole({key: value})), None):
        name = f"NAVBOOK_{torn.upper()}" if torn in variables else torn
        raise SettingsInvalid(f"{source} cannot be used: {name} holds half a letter, which no file can.")
    try:
        return Settings(**_with_common_benchmark(content))
    except ValidationError as problem:
        errors = problem.errors()[:3]
        faults = "; ".join(_fault(error, variables) for error in errors)
        if all(_set_in(variables, error["loc"]) for error in errors):
            source = "The environment"
        raise SettingsInvalid(f"{source} cannot be used: {faults}.") from None


def _is_whole(value: object) -> bool:
    """Whether all letters of `value` can be written: JSON may name half of one, a lone surrogate."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def _variables() -> dict[str, Any]:
    """What the environment says of settings: NAVBOOK_STORE as store, and so on."""
    try:
        found = EnvSettingsSource(Settings)()
    except SettingsError as problem:
        field = re.search(r'field "(\w+)"', str(problem))
        raise SettingsInvalid(f"NAVBOOK_{field[1].upper() if field else '…'} is not valid JSON.") from None
    return {key: value for key, value in found.items() if key not in SET_BY_LOAD}


def _over(content: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """`content` with `variables` over it; of two tables, those keys that the variable names."""
    both = {key: {**content[key], **value} for key, value in variables.items()
            if isinstance(value, dict) and isinstance(content.get(key), dict)}
    return {**content, **variables, **both}


def _with_common_benchmark(content: dict[str, Any]) -> dict[str, Any]:
    """`content` whose other benchmarks take from the common one what they do not say."""
    common = content.get("benchmark")
    if not isinstance(common, dict):
        return content
    owners = {key: {name: {**owner, "benchmark": {**common, **owner["benchmark"]}} for name, owner in section.items()
                    if isinstance(owner, dict) and isinstance(owner.get("benchmark"), dict)}
              for key in ("accounts", "groups") if isinstance(section := content.get(key), dict)}
    if isinstance(named := content.get("benchmarks"), dict):
        owners["benchmarks"] = {name: {**common, **other} for name, other in named.items() if isinstance(other, dict)}
    return {**content, **{key: {**content[key], **whole} for key, whole in owners.items()}}


def _set_in(variables: Mapping[str, Any], place: tuple[int | str, ...]) -> bool:
    """Whether what is at fault stands in the environment."""
    if not place or place[0] not in variables:
        return False
    value = variables[str(place[0])]
    return not isinstance(value, dict) or len(place) == 1 or place[1] in value


def _fault(error: Any, variables: Mapping[str, Any]) -> str:
    place = error["loc"]
    first = f"NAVBOOK_{place[0].upper()}" if _set_in(variables, place) else place[0] if place else ""
    key = ".".join(str(part) for part in (first, *place[1:]) if part not in ("[key]", "table", "word"))
    reason = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{key} is not a setting"
    return f"{key}: {reason}" if key else reason


def variable_of(account: str) -> str:
    """The middle of an account's environment variables: my-main -> MY_MAIN."""
    return re.sub(r"[^A-Z0-9]", "_", account.upper())


def keys(account: str, environment: Environment, variables: Mapping[str, str] | None = None) -> Keys:
    """The API key of `account` in the environment: see `keys_in`. Raises `SettingsInvalid` where there is none."""
    found = keys_in(os.environ if variables is None else variables, account, environment)
    if found is None:
        raise SettingsInvalid(f"{no_key(account, environment)}.")
    return found[0]


def keys_in(variables: Mapping[str, str], account: str, environment: Environment) -> tuple[Keys, str] | None:
    """The API key of `account` and the variable that holds it (or the path of its file), where there is one.

    NAVBOOK_<ACCOUNT>_API_KEY and _API_SECRET, or files named by …_FILE; for the testnet also BINANCE_TESTNET_API_KEY
    and _API_SECRET. Raises `SettingsInvalid` for what is no key.
    """
    for prefix in _prefixes(account, environment):
        values = [_secret(f"{prefix}_{part}", variables) for part in ("API_KEY", "API_SECRET")]
        if all(values):
            source = f"{prefix}_API_KEY"
            redaction.remember(*values)
            return (Keys(api_key=SecretStr(values[0] or ""), api_secret=SecretStr(values[1] or "")),
                    source if variables.get(source) else f"{source}_FILE")
    return None


def no_key(account: str, environment: Environment) -> str:
    """The beginning of a sentence: which variables to set."""
    wanted = ", or ".join(f"{prefix}_API_KEY and {prefix}_API_SECRET" for prefix in _prefixes(account, environment))
    return f"No API key for account {account}: set {wanted} (or …_FILE)"


def _prefixes(account: str, environment: Environment) -> list[str]:
    own = f"NAVBOOK_{variable_of(account)}"
    return [own, ANY_TESTNET_ACCOUNT] if environment is Environment.TESTNET else [own]


def _secret(variable: str, variables: Mapping[str, str]) -> str | None:
    value, source = said_or_filed(variable, variables)
    return key_part(value, source) or None


def key_part(text: str, source: str) -> str:
    """`text` without blanks around it. Raises `SettingsInvalid` naming `source` when it is no API key or secret."""
    value = text.strip()
    if not re.fullmatch(r"[!-~]*", value):
        raise SettingsInvalid(f"{source} is no API key or secret: it holds blanks, line breaks or strange letters.")
    return value


def said_or_filed(variable: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """The value of `variable`, else what the file holds that `variable`_FILE names; and which of the two it is.

    Raises `SettingsInvalid` for a file that cannot be read.
    """
    value, source = variables.get(variable), f"{variable}_FILE"
    if value or not (name := variables.get(source)):
        return value or "", variable
    try:
        return Path(name).read_text(encoding="utf-8-sig"), source
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not text"
        raise SettingsInvalid(f"{source} names {name}, which cannot be read: {reason}.") from None


def alert_urls(config: Settings, variables: Mapping[str, str] | None = None) -> list[str]:
    """Where alerts go: `alerts.urls`, and those of NAVBOOK_ALERTS_URLS (or the file …_FILE), a blank between two."""
    variables = os.environ if variables is None else variables
    told, _ = said_or_filed("NAVBOOK_ALERTS_URLS", variables)
    urls = [*(url.get_secret_value() for url in config.alerts.urls), *told.split()]
    redaction.remember(*urls)
    return urls


def dashboards_token(variables: Mapping[str, str] | None = None) -> str | None:
    """What the dashboards ask for at an address that is not this machine's own; none: they make one up at each start.

    NAVBOOK_DASHBOARDS_TOKEN, or the file that …_FILE names. Raises `SettingsInvalid` for one that can be guessed.
    """
    told, source = said_or_filed(DASHBOARDS_TOKEN, os.environ if variables is None else variables)
    token = key_part(told, source)
    if token and len(token) < SHORTEST_TOKEN:
        raise SettingsInvalid(f"{source} is too short: take {SHORTEST_TOKEN} letters at least (openssl rand -hex 24).")
    redaction.remember(token)
    return token or None


def remember_secrets(variables: Mapping[str, str] | None = None) -> None:
    """Hide from logs the values of all secret variables and files, those that nobody asked for yet, too."""
    for name, value in (os.environ if variables is None else variables).items():
        if not SECRET.fullmatch(name):
            continue
        if name.upper().endswith("_FILE"):
            try:
                value = Path(value).read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError):
                continue    # told where the key is wanted
        redaction.remember(*value.split())


def without_secrets(variables: Mapping[str, str], keep_accounts: Iterable[str] = ()) -> dict[str, str]:
    """The environment of a child process that gets no keys but those of `keep_accounts`."""
    kept: set[str] = set()
    for account in keep_accounts:
        own = _key_variables(f"NAVBOOK_{variable_of(account)}")
        kept |= own if any(variables.get(name) for name in own) else _key_variables(ANY_TESTNET_ACCOUNT)
    return {name: value for name, value in variables.items() if name in kept or not SECRET.fullmatch(name)}


def bucket_variables(config: Settings, variables: Mapping[str, str]) -> dict[str, str]:
    """The secret variables that a process needs to read and write the store: none where that is a folder."""
    needed = BUCKET_KEYS if config.in_bucket else ()
    return {name: variables[name] for name in needed if name in variables}


def _key_variables(prefix: str) -> set[str]:
    return {f"{prefix}_API_{part}{file}" for part in ("KEY", "SECRET") for file in ("", "_FILE")}
