"""The bridge, and apart the members, killed at random moments under traffic: nothing is lost, doubled or out of order.

The short version, of a few kills; `python -m tests.whole.killing` is the whole.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.servers import SynapseServer, XmppServer
from tests.whole.killing.campaign import Campaign, Target
from tests.whole.killing.stage import set_stage

KILLS = 6
SEED = 20261123


@pytest.mark.asyncio
@pytest.mark.timeout(300)
@pytest.mark.parametrize("target", list(Target), ids=lambda target: target.value)
async def test_every_message_arrives_once_whatever_is_killed(
    target: Target, synapse: SynapseServer, prosody: XmppServer, tmp_path: Path
) -> None:
    told: list[str] = []
    async with set_stage(tmp_path, synapse, prosody, SEED) as stage:
        campaign = Campaign(stage, target, kills=KILLS, seed=SEED, scratch=tmp_path / "scratch", say=told.append)
        figures = await campaign.run()
    story = "\n".join([f"seed {SEED}: {figures}", *figures.faults, *told])
    assert not figures.faults, story
    assert figures.kills == KILLS
    assert figures.half_done * 2 >= KILLS, story
    assert figures.messages > KILLS
    assert figures.deliveries >= 2 * figures.messages
