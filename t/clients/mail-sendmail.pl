# SPDX-License-Identifier: ISC
#
# mail-sendmail.pl - submit a message by Mail::Sendmail.

use strict;
use warnings;

use Encode qw(decode encode);
use Mail::Sendmail;

sub contents {
    my ($name) = @_;
    open my $file, "<:raw", "$ENV{MAIL}/$name" or die $!;
    local $/;
    return <$file>;
}

my $subject = decode("UTF-8", contents("subject"));
chomp $subject;
sendmail(
    Server => "127.0.0.1", Port => $ENV{PORT},
    From => $ENV{FROM}, To => $ENV{TO}, Cc => $ENV{CC}, Bcc => $ENV{BCC},
    Subject => encode("MIME-Header", $subject),
    "Content-Type" => "text/plain; charset=utf-8",
    Message => contents("text")) or die $Mail::Sendmail::error;
