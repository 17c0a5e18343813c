# SPDX-License-Identifier: ISC
#
# mime-lite.pl - submit a message with an attachment by MIME::Lite.

use strict;
use warnings;

use Encode qw(decode encode);
use MIME::Lite;

sub contents {
    my ($name) = @_;
    open my $file, "<:raw", "$ENV{MAIL}/$name" or die $!;
    local $/;
    return <$file>;
}

my $subject = decode("UTF-8", contents("subject"));
chomp $subject;
my $mail = MIME::Lite->new(
    From => $ENV{FROM}, To => $ENV{TO}, Cc => $ENV{CC}, Bcc => $ENV{BCC},
    Subject => encode("MIME-Header", $subject), Type => "multipart/mixed");
$mail->attach(Type => "text/plain; charset=utf-8", Encoding => "8bit",
    Data => contents("text"));
$mail->attach(Type => "application/octet-stream", Encoding => "base64",
    Path => "$ENV{MAIL}/attachment");
$mail->send("smtp", "127.0.0.1", Port => $ENV{PORT}) or die "not accepted";
