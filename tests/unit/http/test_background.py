import asyncio

from tollway.http.background import Background


def test_a_job_is_run_again_also_after_it_failed() -> None:
    async def run() -> int:
        runs = 0
        enough = asyncio.Event()

        async def job() -> None:
            nonlocal runs
            runs += 1
            if runs == 3:
                enough.set()
            raise ValueError

        background = Background()
        background.every(0.001, job)
        await enough.wait()
        await background.stop()
        return runs

    assert asyncio.run(run()) >= 3
