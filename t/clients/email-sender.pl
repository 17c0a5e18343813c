# SPDX-License-Identifier: ISC
#
# email-sender.pl - submit a whole message by Email::Sender.

use strict;
use warnings;

use Email::Sender::Simple qw(sendmail);
use Email::Sender::Transport::SMTP;
use Email::Simple;

open my $file, "<:raw", "$ENV{MAIL}/message.lf" or die $!;
my $message = Email::Simple->new(do { local $/; <$file> });
my $transport = Email::Sender::Transport::SMTP->new(
    host => "127.0.0.1", port => $ENV{PORT});
sendmail($message, {
    from => $ENV{FROM}, to => [@ENV{qw(TO CC BCC)}],
    transport => $transport });
