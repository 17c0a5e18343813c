// SPDX-License-Identifier: ISC
//
// nodemailer.js - submit a message by nodemailer: one that it makes, or over
// TLS a whole one.

"use strict";

const fs = require("fs");
const nodemailer = require("nodemailer");

const { PORT, FROM, TO, CC, BCC, MAIL, TLS } = process.env;
const read = (name) => fs.readFileSync(`${MAIL}/${name}`);

const made = () => ({
	from: { name: "Zoë", address: FROM },
	to: TO,
	cc: CC,
	bcc: BCC,
	subject: read("subject").toString().trimEnd(),
	text: read("text").toString(),
	attachments: [{ filename: "attachment", content: read("attachment") }],
});

const whole = () => ({
	envelope: { from: FROM, to: [TO, CC, BCC] },
	raw: read("message"),
});

const transport = nodemailer.createTransport({
	host: "localhost",
	port: Number(PORT),
	requireTLS: Boolean(TLS),
});

transport.sendMail(TLS ? whole() : made()).catch((error) => {
	console.error(error);
	process.exitCode = 1;
});
