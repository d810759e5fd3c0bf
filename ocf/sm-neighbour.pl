#!/usr/bin/perl
# sm-neighbour.pl probe|announce INTERFACE INDEX MAC ADDRESS COUNT INTERVAL_MS
#
# Asks the neighbours on one Ethernet who has an address, or tells them that it is here. For the agent floating-address;
# needs nothing but perl-base, and the right to open a raw socket (CAP_NET_RAW).
#
#   probe     asks COUNT times, waiting INTERVAL_MS after each. Exit 0 = nobody has the address; 1 = somebody has it,
#             or asks for it too: its hardware address is printed. RFC 5227, 2.1; RFC 4862, 5.4.
#   announce  tells it COUNT times, INTERVAL_MS apart, each time as request and as reply for IPv4 (RFC 5227, 3), as
#             unsolicited neighbour advertisement for IPv6 (RFC 4861, 7.2.6). Ends when the address is gone from here.
# Exit 2 = it could not be done; the reason is on stderr.
use strict;
use warnings;
use Socket qw(AF_INET AF_INET6 SOCK_RAW inet_pton);

use constant { AF_PACKET => 17, ETHERTYPE_ARP => 0x0806, ETHERTYPE_IPV6 => 0x86dd };
use constant { ARP_REQUEST => 1, ARP_REPLY => 2, SOLICITATION => 135, ADVERTISEMENT => 136, OVERRIDE => 0x20000000 };

sub fail { print STDERR "$_[0]\n"; exit 2 }

fail('usage: sm-neighbour.pl probe|announce INTERFACE INDEX MAC ADDRESS COUNT INTERVAL_MS') unless @ARGV == 7;
my ($action, $interface, $index, $mac_text, $address_text, $count, $interval_ms) = @ARGV;
my $mac = pack 'H12', $mac_text =~ tr/://dr;
my $is_ipv6 = index($address_text, ':') >= 0;
my $address = inet_pton($is_ipv6 ? AF_INET6 : AF_INET, $address_text) // fail("$address_text is no address");
my $ethertype = $is_ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_ARP;

sub ethernet { my ($to, $payload) = @_; return $to . $mac . pack('n', $ethertype) . $payload }

sub arp {
  my ($operation, $sender, $target_mac) = @_;
  my $payload = pack('n n C C n', 1, 0x0800, 6, 4, $operation) . $mac . $sender . $target_mac . $address;
  return ethernet("\xff" x 6, $payload);
}

sub icmpv6 {
  my ($source, $group, $type, $flags, $options) = @_;
  my $message = sub { pack('C C n N', $type, 0, $_[0], $flags) . $address . $options };
  my $length = length $message->(0);
  my $sum = unpack '%32n*', $source . $group . pack('N N', $length, 58) . $message->(0);
  $sum = ($sum & 0xffff) + ($sum >> 16) for 1 .. 2;
  my $header = pack('N n C C', 6 << 28, $length, 58, 255) . $source . $group;
  # A multicast group's Ethernet address is 33:33 and its last four bytes (RFC 2464, 7).
  return ethernet("\x33\x33" . substr($group, 12), $header . $message->(~$sum & 0xffff));
}

sub questions {
  return arp(ARP_REQUEST, "\0" x 4, "\0" x 6) unless $is_ipv6;
  my $solicited_node = inet_pton(AF_INET6, 'ff02::1:ff00:0');
  substr($solicited_node, 13) = substr $address, 13;
  return icmpv6("\0" x 16, $solicited_node, SOLICITATION, 0, '');
}

sub announcements {
  return (arp(ARP_REQUEST, $address, "\0" x 6), arp(ARP_REPLY, $address, $mac)) unless $is_ipv6;
  return icmpv6($address, inet_pton(AF_INET6, 'ff02::1'), ADVERTISEMENT, OVERRIDE, "\x02\x01$mac");
}

# The hardware address of somebody else who has the address, or asks for it because he wants it too; undef = nothing of it.
sub rival {
  my ($frame) = @_;
  return undef if length $frame < 42 or substr($frame, 6, 6) eq $mac;
  my $who = join ':', unpack '(H2)6', substr $frame, 6, 6;
  if (!$is_ipv6) {
    my ($sender, $target) = (substr($frame, 28, 4), substr $frame, 38, 4);
    return $sender eq $address || ($sender eq "\0" x 4 && $target eq $address) ? $who : undef;
  }
  # Ethernet 14, IPv6 40, then the message; its target stands 8 bytes on.
  return undef if length $frame < 78 or ord(substr $frame, 20, 1) != 58 or substr($frame, 62, 16) ne $address;
  my $type = ord substr $frame, 54, 1;
  my $unspecified = substr($frame, 22, 16) eq "\0" x 16;
  return $type == ADVERTISEMENT || ($type == SOLICITATION && $unspecified) ? $who : undef;
}

sub is_here {
  open my $list, '-|', 'ip', '-o', 'addr', 'show', 'dev', $interface, 'to', $address_text or return 0;
  my $line = <$list>;
  close $list;
  return defined $line;
}

socket my $socket, AF_PACKET, SOCK_RAW, unpack('S', pack 'n', $ethertype) or fail("no raw socket: $!");
my $link = pack 'S n i S C C a8', AF_PACKET, $ethertype, $index, 0, 0, 6, '';
bind $socket, $link or fail("$interface can not be used: $!");

sub transmit { send($socket, $_, 0, $link) // fail("nothing can be sent on $interface: $!") for @_ }

# Listens for as long as is to be waited; only a probe heeds what it hears.
sub listen_for {
  my ($milliseconds) = @_;
  my $end = monotonic() + $milliseconds / 1000;
  while ((my $left = $end - monotonic()) > 0) {
    my $readable = '';
    vec($readable, fileno $socket, 1) = 1;
    next unless select($readable, undef, undef, $left) > 0 and defined recv $socket, my $frame, 2048, 0;
    my $who = rival($frame) // next;
    print "$who\n";
    exit 1;
  }
}

# Seconds since boot, to the hundredth: the clock of the day may be set meanwhile.
sub monotonic {
  open my $file, '<', '/proc/uptime' or fail("no /proc/uptime: $!");
  return (split ' ', <$file>)[0];
}

if ($action eq 'probe') {
  for (1 .. $count) {
    transmit(questions());
    listen_for($interval_ms);
  }
} elsif ($action eq 'announce') {
  for my $turn (1 .. $count) {
    select undef, undef, undef, $interval_ms / 1000 if $turn > 1;
    last unless is_here();
    transmit(announcements());
  }
} else {
  fail("$action: it is probe or announce");
}
