-- SPDX-License-Identifier: ISC
--
-- luasocket.lua - submit a message with an attachment by LuaSocket.

local ltn12 = require("ltn12")
local mime = require("mime")
local smtp = require("socket.smtp")

local function read(name)
	local file = assert(io.open(os.getenv("MAIL") .. "/" .. name, "rb"))
	local contents = file:read("a")
	file:close()
	return contents
end

local function address(name)
	return "<" .. os.getenv(name) .. ">"
end

local text = {
	headers = {
		["content-type"] = "text/plain; charset=utf-8",
		["content-transfer-encoding"] = "8bit",
	},
	body = mime.eol(0, read("text")),
}

local attachment = {
	headers = {
		["content-type"] = "application/octet-stream",
		["content-transfer-encoding"] = "base64",
	},
	body = ltn12.source.chain(ltn12.source.string(read("attachment")),
		ltn12.filter.chain(mime.encode("base64"), mime.wrap("base64"))),
}

assert(smtp.send({
	server = "127.0.0.1",
	port = os.getenv("PORT"),
	from = address("FROM"),
	rcpt = { address("TO"), address("CC"), address("BCC") },
	source = smtp.message({
		headers = {
			from = address("FROM"),
			to = address("TO"),
			cc = address("CC"),
			subject = "=?utf-8?B?" .. mime.b64("Grüße") .. "?=",
		},
		body = { text, attachment },
	}),
}))
