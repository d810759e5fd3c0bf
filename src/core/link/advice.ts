/**
 * What a drop cause means to an operator: the reason why a link is not heard although datagrams arrive, and what to do.
 */
import type { DropCause } from './types.ts';

export const DROP_ADVICE: { readonly [cause in DropCause]: string } = {
  truncated: 'datagrams arrive cut off: check the MTU of the link, and who else sends to this port',
  oversized: 'datagrams arrive that are longer than any frame: check who else sends to this port',
  magic: 'datagrams arrive that are not heartbeats of sm: check who else sends to this port',
  version: 'the peer speaks a version of the protocol that this node does not know: upgrade the older node',
  malformed: 'frames arrive that break the protocol: compare the versions of sm on the two nodes',
  'other-cluster':
    'frames of another domain arrive: two domains share this network and port; give one of them another port',
  'unknown-key':
    'the peer signs with a key that this node does not hold for the interface: copy the key file to both nodes',
  'bad-signature': 'the signature of frames is wrong: somebody forges them, or alters them on the way',
  unsigned:
    'unsigned frames arrive on a signed link: set AUTH_TYPE of the interface to hmac-sha512 on both nodes',
  'own-reflected': 'our own frames come back: the network has a loop, or PEER_ADDRESS is our own address',
  'wrong-sender':
    'authentic frames of a node that is not the peer arrive: check the node names of the domain',
  'wrong-receiver': 'authentic frames for another node arrive: check PEER_ADDRESS on the peer',
  'wrong-interface':
    'frames of another interface arrive here: two interfaces share a network, or the addresses are mixed up',
  'wrong-source':
    "datagrams come from another address or port than the peer's: compare PEER_ADDRESS and PEER_PORT with the peer",
  replayed: 'frames arrive a second time or too late: somebody repeats them, or the network does',
};
