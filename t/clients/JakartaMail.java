// SPDX-License-Identifier: ISC
//
// JakartaMail.java - submit a message with an attachment by Jakarta Mail.

import jakarta.mail.Message.RecipientType;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeBodyPart;
import jakarta.mail.internet.MimeMessage;
import jakarta.mail.internet.MimeMultipart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

class JakartaMail {
    private static Path path(String name) {
        return Path.of(System.getenv("MAIL"), name);
    }

    private static String read(String name) throws IOException {
        return Files.readString(path(name));
    }

    private static InternetAddress address(String variable) throws Exception {
        return new InternetAddress(System.getenv(variable));
    }

    private static MimeMultipart content() throws Exception {
        MimeBodyPart text = new MimeBodyPart();
        MimeBodyPart attachment = new MimeBodyPart();

        text.setText(read("text"), "utf-8");
        text.setHeader("Content-Transfer-Encoding", "8bit");
        attachment.attachFile(path("attachment").toFile());
        return new MimeMultipart(text, attachment);
    }

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("mail.smtp.host", "127.0.0.1");
        properties.put("mail.smtp.port", System.getenv("PORT"));
        properties.put("mail.smtp.allow8bitmime", "true");

        MimeMessage message = new MimeMessage(Session.getInstance(properties));
        message.setFrom(address("FROM"));
        message.addRecipient(RecipientType.TO, address("TO"));
        message.addRecipient(RecipientType.CC, address("CC"));
        message.addRecipient(RecipientType.BCC, address("BCC"));
        message.setSubject(read("subject").strip(), "utf-8");
        message.setContent(content());
        Transport.send(message);
    }
}
