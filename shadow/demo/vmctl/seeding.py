"""What a new database holds: the known accounts with their keys, and some instances."""

from shadow.demo.principals import principals
from shadow.demo.vmctl.creation import build, create_instance
from shadow.demo.vmctl.service import Service

_OWNED = {"alice": 12, "bob": 4}
_IMAGES = ("debian-12", "ubuntu-24.04", "alpine-3.20")


def seed(service: Service) -> None:
    """Fill the database where it is new; one that holds accounts is left as it is."""
    with service.store.transaction():
        if service.store.one("SELECT 1 FROM accounts"):
            return
        _add_accounts(service)
        for principal in principals(service.settings.seed):
            for number in range(_OWNED.get(principal.name, 0)):
                _add_instance(service, principal.address, number)


def _add_accounts(service: Service) -> None:
    now = service.clock.now()
    for principal in principals(service.settings.seed):
        service.store.run(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?)",
            *(principal.address, principal.name, principal.role.name, principal.tenant, now),
        )
        for key in principal.keys:
            service.store.run(
                "INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL, ?)",
                *(key.id, principal.address, key.algorithm, key.verifier, key.status, now),
            )


def _add_instance(service: Service, owner: str, number: int) -> None:
    values = {
        "name": f"web-{number:02}",
        "image": _IMAGES[number % len(_IMAGES)],
        "formfile": f"FROM {_IMAGES[number % len(_IMAGES)]}\nRUN apt-get install -y nginx\n",
        "tags": ["web", "production"] if number % 2 else [],
        "vcpus": 1 + number % 4,
        "memory_mb": 1024 * (1 + number % 3),
        "disk_gb": 10 + 5 * number,
    }
    instance = create_instance(service, owner, values)
    build(service, instance)
    service.store.run("UPDATE instances SET status = 'STOPPED' WHERE id = ?", instance)
