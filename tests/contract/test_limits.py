"""A bucket of rate limits has one name and one size, in the connection's extra and in the sandbox."""

from __future__ import annotations

from airflow_provider_esp.sandbox.esputnik import auth as esputnik_sandbox
from airflow_provider_esp.sandbox.sendpulse import auth as sendpulse_sandbox
from airflow_provider_esp.services.esputnik import limits as esputnik
from airflow_provider_esp.services.sendpulse import limits as sendpulse


def test_each_bucket_of_esputnik_is_one_of_the_sandbox() -> None:
    sizes = {name: (limit.requests, limit.seconds) for name, limit in esputnik_sandbox.LIMITS.items()}
    assert {name: (bucket.limit, bucket.seconds) for name, bucket in esputnik.BUCKETS.items()}.items() <= sizes.items()
    # The others belong to channels of templates that no function reads.
    others = sizes.keys() - esputnik.BUCKETS.keys()
    assert {name.split(".")[1] for name in others} == {"templates"}


def test_each_bucket_of_sendpulse_is_one_of_the_sandbox() -> None:
    ours = {
        bucket.name: bucket
        for bucket in (sendpulse.SECOND, sendpulse.MINUTE, sendpulse.EVENTS, sendpulse.CAMPAIGNS, sendpulse.RESUBSCRIBE)
    }
    sizes = {name: (limit.requests, limit.seconds) for name, limit in sendpulse_sandbox.LIMITS.items()}
    push = sendpulse.push(7)
    ours[push.name.removesuffix(".7")] = push  # one bucket for each site
    assert {name: (bucket.limit, bucket.seconds) for name, bucket in ours.items()} == sizes
