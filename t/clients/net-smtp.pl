# SPDX-License-Identifier: ISC
#
# net-smtp.pl - submit a whole message by Net::SMTP.

use strict;
use warnings;

use Net::SMTP;

open my $message, "<:raw", "$ENV{MAIL}/message.lf" or die $!;
my $smtp = Net::SMTP->new("localhost", Port => $ENV{PORT}) or die $@;
my $is_ready = !$ENV{TLS} || $smtp->starttls;
$is_ready && $smtp->mail($ENV{FROM}) && $smtp->to(@ENV{qw(TO CC BCC)}) &&
    $smtp->data(<$message>) && $smtp->quit or die $smtp->message;
