"""One pass of the Python client over a server, told as JSON lines on standard output.

For: `tests/clients`. The plan (pass, transport, era, where) is the only argument. `{"ask": …}` asks the test to do
something and waits for a line on standard input; `{"report": …}` ends it.
"""

import json
import sys

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

PLAN = json.loads(sys.argv[1])
LIMIT_S = 60


def say(**line):
    print(json.dumps(line), flush=True)


async def ask(what, **more):
    say(ask=what, **more)
    await anyio.to_thread.run_sync(sys.stdin.readline)


class Connection:
    """A client and what its transport needs, opened and closed together."""

    def __init__(self, **more):
        self.more = more

    async def __aenter__(self):
        self.http = None
        if PLAN["transport"] == "stdio":
            server = StdioServerParameters(command=PLAN["command"], args=PLAN["args"], env=PLAN["env"])
        elif PLAN["transport"] == "sse":
            server = sse_client(PLAN["url"], headers=PLAN["headers"])
        else:
            self.http = httpx2.AsyncClient(headers=PLAN["headers"], timeout=LIMIT_S)
            server = streamable_http_client(PLAN["url"], http_client=self.http)
        mode = "2026-07-28" if PLAN["era"] == "pinned" else {"modern": "auto", "legacy": "legacy"}[PLAN["era"]]
        self.client = Client(server, mode=mode, read_timeout_seconds=LIMIT_S, **self.more)
        return await self.client.__aenter__()

    async def __aexit__(self, *why):
        try:
            await self.client.__aexit__(*why)
        finally:
            if self.http:
                await self.http.aclose()


async def listed(client):
    return {
        "tools": sorted(tool.name for tool in (await client.list_tools()).tools),
        "prompts": sorted(prompt.name for prompt in (await client.list_prompts()).prompts),
        "resources": sorted(str(one.uri) for one in (await client.list_resources()).resources),
        "templates": sorted(one.uri_template for one in (await client.list_resource_templates()).resource_templates),
    }


async def must(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, f"{tool}: {result.content}"
    return result.structured_content


async def refused(client):
    result = await client.call_tool("task_add", {"titel": "no such field"})
    return {"is_error": result.is_error, "text": result.content[0].text}


async def progress(client):
    """Waits for a task that another call finishes once the wait has told twice that it waits."""
    task = (await must(client, "task_add", title="watched", queue="progress"))["id"]
    seen, waiting, waited = [], anyio.Event(), {}

    async def heard(done, total, message):
        seen.append({"progress": done, "total": total, "message": message})
        if len(seen) == 2:
            waiting.set()

    async def wait():
        result = await client.call_tool("task_wait", {"ids": [task], "timeout_s": 40}, progress_callback=heard)
        waited.update(result.structured_content)

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await waiting.wait()
        claim = await must(client, "task_claim", worker="python", queue="progress")
        await must(client, "task_finish", task=task, fence=claim["fence"], result={"by": "python"})
    return {"seen": seen, "settled": waited["settled"], "open": waited["open"]}


async def cancelled(client):
    """Gives up a claim that waits; a task posted afterwards must not be taken by it."""
    waiting = anyio.Event()

    async def heard(*_):
        waiting.set()

    async with anyio.create_task_group() as group:
        group.start_soon(
            lambda: client.call_tool(
                "task_claim", {"worker": "gave-up", "queue": "cancel", "wait_s": 45}, progress_callback=heard
            )
        )
        await waiting.wait()
        group.cancel_scope.cancel()
    await ask("cancelled", tool="task_claim")
    task = (await must(client, "task_add", title="for another one", queue="cancel"))["id"]
    claim = await must(client, "task_claim", worker="another", queue="cancel")
    return {"posted": task, "claimed": claim.get("task")}


async def read(client, task):
    board = (await client.read_resource("callboard://board")).contents[0]
    one = (await client.read_resource(f"callboard://task/{task}")).contents[0]
    try:
        await client.read_resource("callboard://no/such/thing")
        missing = None
    except MCPError as error:
        missing = error.code
    return {"board": board.text, "mime": board.mime_type, "task": one.text, "missing": missing}


async def prompt(client):
    got = await client.get_prompt("report_status", {"audience": "the night shift"})
    return {"role": got.messages[0].role, "text": got.messages[0].content.text}


def words_of(error):
    """All that is said in an error, which may be a group of them."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(words_of(one) for one in error.exceptions)
    return f"{type(error).__name__}: {error}"


async def enters():
    """Comes in, or tells why not."""
    try:
        async with Connection() as client:
            say(report={"tools": len((await client.list_tools()).tools)})
    except Exception as error:  # noqa: BLE001 - what a user of this client would be shown
        say(report={"refused": words_of(error)})


async def decides():
    """Has a roadmap worked whose one choice is the user's, who takes the second option."""
    asked = []

    async def user(_context, params):
        asked.append(params.message)
        options = params.requested_schema["properties"]["choice"]["oneOf"]
        return ElicitResult(action="accept", content={"choice": options[1]["const"]})

    async with Connection(elicitation_callback=user) as client:
        await must(client, "roadmap_start", path=PLAN["path"])
        state = "starting"
        while state in ("starting", "running"):
            state = (await must(client, "roadmap_wait", path=PLAN["path"], timeout_s=20))["state"]
        say(report={"version": client.protocol_version, "asked": asked, "state": state})


async def whole():
    report = {}
    task = None
    try:
        async with Connection() as client:
            report["version"] = client.protocol_version
            report["server"] = client.server_info.name
            report["listed"] = await listed(client)
            task = (await must(client, "task_add", title="from a Python client", priority=3))["id"]
            report["called"] = await must(client, "task_get", id=task)
            report["refused"] = await refused(client)
            report["progress"] = await progress(client)
            report["cancelled"] = await cancelled(client)
            report["read"] = await read(client, task)
            report["prompt"] = await prompt(client)
            await ask("restart")
            try:
                with anyio.fail_after(LIMIT_S):
                    report["after_restart"] = {"task": (await must(client, "task_get", id=task))["id"]}
            except Exception as error:  # noqa: BLE001 - whatever the client makes of it is what is reported
                report["after_restart"] = {"error": words_of(error)}
    except Exception as error:  # noqa: BLE001 - a client may also only complain when it is closed
        if "after_restart" not in report:
            raise
        report["closing"] = words_of(error)
    async with Connection() as client:
        report["again"] = {
            "version": client.protocol_version,
            "server": client.server_info.name,
            "task": (await must(client, "task_get", id=task))["id"],
            "listed": await listed(client),
            "progress": await progress(client),
        }
    report["task"] = task
    say(report=report)


anyio.run({"whole": whole, "decides": decides, "enters": enters}[PLAN["pass"]])
