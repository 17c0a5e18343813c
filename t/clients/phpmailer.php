<?php
// SPDX-License-Identifier: ISC
//
// phpmailer.php - submit a message with an attachment by PHPMailer.

require "/usr/share/php/libphp-phpmailer/autoload.php";

$folder = getenv("MAIL");
$mail = new PHPMailer\PHPMailer\PHPMailer(true); // which throws exceptions
$mail->isSMTP();
$mail->Host = "127.0.0.1";
$mail->Port = (int) getenv("PORT");
$mail->CharSet = "UTF-8";
$mail->Encoding = "8bit";
$mail->setFrom(getenv("FROM"), "Zoë");
$mail->addAddress(getenv("TO"));
$mail->addCC(getenv("CC"));
$mail->addBCC(getenv("BCC"));
$mail->Subject = trim(file_get_contents("$folder/subject"));
$mail->Body = file_get_contents("$folder/text");
$mail->addAttachment("$folder/attachment");
$mail->send();
