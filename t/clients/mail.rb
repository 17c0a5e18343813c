# SPDX-License-Identifier: ISC
#
# mail.rb - submit a message with an attachment by the mail gem.

require "mail"

def read(name)
  File.read(File.join(ENV["MAIL"], name), encoding: "UTF-8")
end

mail = Mail.new(charset: "UTF-8", from: ENV["FROM"], to: ENV["TO"],
                cc: ENV["CC"], bcc: ENV["BCC"], subject: read("subject").strip,
                body: read("text"))
mail.add_file(File.join(ENV["MAIL"], "attachment"))
mail.delivery_method(:smtp, address: "127.0.0.1", port: ENV["PORT"].to_i)
mail.deliver!
