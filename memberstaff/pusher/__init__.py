"""For Laravel Echo: the Pusher protocol, its channel authorisation, and Laravel's Redis envelope.

See docs/decisions/0013-laravel-echo.md and docs/from-laravel.md.
"""
