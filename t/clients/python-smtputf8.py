# SPDX-License-Identifier: ISC
"""python-smtputf8.py - submit a message in UTF-8, header and addresses included
(RFC 6531), by smtplib."""

import email.message
import email.policy
import os
import pathlib
import smtplib

FOLDER = pathlib.Path(os.environ["MAIL"])

message = email.message.EmailMessage(email.policy.SMTPUTF8)
message["From"] = f"Zoë <{os.environ['FROM']}>"
message["To"] = os.environ["TO"]
message["Bcc"] = os.environ["BCC"]
message["Subject"] = (FOLDER / "subject").read_text().strip()
message.set_content((FOLDER / "text").read_text(), cte="8bit")
with smtplib.SMTP("127.0.0.1", int(os.environ["PORT"])) as smtp:
    smtp.send_message(message)
