<?php
// SPDX-License-Identifier: ISC
//
// php-mail.php - submit a message by mail(), which gives it to a program.

$folder = getenv("MAIL");
$subject = trim(file_get_contents("$folder/subject"));
$is_accepted = mail(
    getenv("TO"),
    iconv_mime_encode("", $subject, ["scheme" => "Q"]),
    file_get_contents("$folder/text"),
    [
        "From" => getenv("FROM"),
        "Cc" => getenv("CC"),
        "Bcc" => getenv("BCC"),
        "Content-Type" => "text/plain; charset=utf-8",
    ]
);
exit($is_accepted ? 0 : 1);
