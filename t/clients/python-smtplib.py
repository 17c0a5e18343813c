# SPDX-License-Identifier: ISC
"""python-smtplib.py - submit a message by smtplib: one that the email package
makes, or over TLS a whole one."""

import email.message
import email.policy
import os
import pathlib
import smtplib
import ssl

FOLDER = pathlib.Path(os.environ["MAIL"])


def make_message():
    message = email.message.EmailMessage(email.policy.SMTP)
    message["From"] = f"Zoë <{os.environ['FROM']}>"
    message["To"] = os.environ["TO"]
    message["Cc"] = os.environ["CC"]
    message["Bcc"] = os.environ["BCC"]
    message["Subject"] = (FOLDER / "subject").read_text().strip()
    message.set_content((FOLDER / "text").read_text(), cte="8bit")
    message.add_attachment((FOLDER / "attachment").read_bytes(),
                           "application", "octet-stream",
                           filename="attachment")
    return message


with smtplib.SMTP("localhost", int(os.environ["PORT"])) as smtp:
    if os.environ.get("TLS"):
        smtp.starttls(context=ssl.create_default_context())
        smtp.sendmail(os.environ["FROM"],
                      [os.environ[name] for name in ("TO", "CC", "BCC")],
                      (FOLDER / "message").read_bytes(), ["BODY=8BITMIME"])
    else:
        smtp.send_message(make_message())
