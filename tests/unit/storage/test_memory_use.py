import os
import resource
from pathlib import Path

import pytest

from tollway.storage.memory_use import GroupMemory, OwnMemory, find_memory, give_back_freed_memory

STAT = "anon 50\nfile 40\n{prefix}inactive_file 20\n{prefix}active_file 10\n"


def machine(folder: Path, cgroup: str) -> tuple[Path, Path]:
    proc, groups = folder / "proc", folder / "groups"
    proc.mkdir()
    groups.mkdir()
    (proc / "cgroup").write_text(cgroup)
    (proc / "statm").write_text("900 7 3 1 0 5 0\n")
    return proc, groups


def group_2(folder: Path, limit: str, current: int = 90) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(STAT.format(prefix=""))


def group_1(folder: Path, limit: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text("90\n")
    (folder / "memory.stat").write_text("inactive_file 1\n" + STAT.format(prefix="total_"))


def test_each_worker_has_its_part_of_what_the_operator_allows(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path, "0::/\n")
    group_2(groups, "100")
    found = find_memory(3_000, 3, proc, groups)
    assert isinstance(found, OwnMemory)
    assert (found.limit_bytes, found.read()) == (1_000, 7 * resource.getpagesize())


def test_what_the_kernel_caches_does_not_count(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path, "0::/\n")
    group_2(groups, "100")
    found = find_memory(None, 3, proc, groups)
    assert isinstance(found, GroupMemory)
    assert (found.limit_bytes, found.read()) == (100, 60)


def test_the_tightest_of_all_the_groups_one_is_in(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path, "0::/tollway.slice/inner/one.service\n")
    group_2(groups / "tollway.slice/inner/one.service", "max")
    group_2(groups / "tollway.slice/inner", "500", 100)
    group_2(groups / "tollway.slice", "700")
    found = find_memory(None, 1, proc, groups)
    assert found
    assert (found.limit_bytes, found.read()) == (500, 70)


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    proc, groups = machine(tmp_path, "4:cpu,memory:/docker/abc\n0::/\n")
    group_1(groups / "memory", 200)
    found = find_memory(None, 1, proc, groups)
    assert found
    assert (found.limit_bytes, found.read()) == (200, 60)


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_no_limit_is_none(tmp_path: Path, limit: str) -> None:
    proc, groups = machine(tmp_path, "4:memory:/\n0::/\n")
    if limit == "max":
        group_2(groups, limit)
    else:
        group_1(groups / "memory", int(limit))
    assert find_memory(None, 1, proc, groups) is None


def test_where_there_are_no_such_files(tmp_path: Path) -> None:
    assert find_memory(None, 1, tmp_path / "proc", tmp_path / "groups") is None
    assert find_memory(5_000, 1, tmp_path / "proc", tmp_path / "groups") is None


def test_this_process_is_what_the_system_says() -> None:
    found = find_memory(1, 1)
    assert found
    assert 2**20 < found.read() < os.sysconf("SC_PHYS_PAGES") * resource.getpagesize()
    give_back_freed_memory()
    assert found.read() > 2**20
