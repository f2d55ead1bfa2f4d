"""Adds the Pusher endpoints and the relay to the application, as far as they are enabled."""

from __future__ import annotations

from collections.abc import Callable

from memberstaff.application import Application
from memberstaff.pusher.auth import PATH, Authorisation
from memberstaff.pusher.channel_groups import ChannelGroups
from memberstaff.pusher.grants import Grants
from memberstaff.pusher.payload import Ids, Payload, status_words
from memberstaff.pusher.presence import Presence
from memberstaff.pusher.relay import Relay
from memberstaff.pusher.socket import PREFIX, PusherEndpoint
from memberstaff.server.app import ServerApp

DEMO_KEY = "memberstaff"


def mount(app: ServerApp, application: Application, *, ids: Ids, account_id: Callable[[int | None], str]) -> None:
    """Serve /app/{key} and /broadcasting/auth, and publish for laravel-echo-server, if the settings enable them.

    `ids` and `account_id` give the ids that clients see of records, people and accounts.
    """
    settings = application.settings
    url = settings.broadcast_url.get_secret_value()
    payload = Payload(ids, status_words(settings.echo_statuses), settings.echo_flat)
    if settings.echo_channel is not None:
        relay = Relay(
            application.all_days,
            payload,
            url=url,
            channel=settings.echo_prefix + settings.echo_channel,
            lease=settings.broadcast_channel,
            keyring=settings.keyring,
        )
        application.services["relay"] = relay.run
    key = settings.echo_key or (DEMO_KEY if settings.demo else None)
    if key is None and settings.echo_channel is None:
        return
    keys = settings.keyring.keys("Echo subscriptions")
    grants = Grants(application.database)
    app.add_route(PATH, Authorisation(application, key or "", keys, grants, account_id).__call__, methods=["POST"])
    if key is not None:
        presence = Presence(url, settings.broadcast_channel, settings.keyring, account_id, application.database.now)
        application.services["presence"] = presence.run
        application.channels.append(presence.channel)
        endpoint = PusherEndpoint(
            application,
            key,
            keys,
            grants=grants,
            channel_groups=ChannelGroups(application, payload, presence),
            limits=app.limits,
        )
        app.mount_websocket(PREFIX, endpoint)
