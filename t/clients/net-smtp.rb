# SPDX-License-Identifier: ISC
#
# net-smtp.rb - submit a whole message by Ruby's Net::SMTP.

require "net/smtp"

message = File.binread(File.join(ENV["MAIL"], "message"))
smtp = Net::SMTP.new("localhost", ENV["PORT"].to_i)
ENV["TLS"] ? smtp.enable_starttls : smtp.disable_starttls
smtp.start("client.test") do |session|
  session.send_message(message, ENV["FROM"], *ENV.values_at("TO", "CC", "BCC"))
end
