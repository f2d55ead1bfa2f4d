"""For front ends that use Laravel Echo: the Pusher protocol, its authorisations, and Laravel's Redis envelope.

The only place that knows of them. See docs/decisions/0013-laravel-echo.md and docs/from-laravel.md.
"""
