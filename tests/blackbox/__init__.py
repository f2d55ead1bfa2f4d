"""What an installation does, seen from outside: the suite needs an address and three logins, and nothing of its inside.

By itself it serves the demo. To try another installation, one for trials, since people are marked:

    MEMBERSTAFF_TEST_ADDRESS=https://attendance.example MEMBERSTAFF_TEST_LOGINS=logins.json ./dev test tests/blackbox

The file is that of a demo, `{"ADMIN": "password", …}`, or has other accounts: `{"ADMIN": ["you@school.example",
"password"], …}`. MEMBERSTAFF_TEST_HEARTBEATS=6 keeps a quiet stream open for a minute and a half, to see that no proxy
ends it. `./dev drill image` runs it against the image, behind Caddy and nginx.
"""
