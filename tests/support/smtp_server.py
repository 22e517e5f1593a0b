"""An SMTP server for tests: asks for a login, refuses one address for good, puts another off once.

Usage: smtp_server.py PORT MAILDIR [USER PASSWORD]
"""

import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import AuthResult, LoginPassword


class Handler(Mailbox):
    put_off = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("grey@") and address not in self.put_off:
            self.put_off.add(address)
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def authenticator(server, session, envelope, mechanism, data):
    right = (
        isinstance(data, LoginPassword)
        and data.login.decode() == sys.argv[3]
        and data.password.decode() == sys.argv[4]
    )
    # Not handled: the server itself answers 535.
    return AuthResult(success=right, handled=False)


options = {}
if len(sys.argv) > 3:
    options = {"authenticator": authenticator, "auth_required": True, "auth_require_tls": False}
Controller(Handler(sys.argv[2]), hostname="127.0.0.1", port=int(sys.argv[1]), **options).start()
while True:
    time.sleep(3600)
