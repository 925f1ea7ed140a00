/* limits.h: every bound of cijail-httpproxy in one place. Times are milliseconds. */
#ifndef CIJAIL_HTTPPROXY_LIMITS_H
#define CIJAIL_HTTPPROXY_LIMITS_H

/* Bytes. */
#define LIMIT_BUFFER 16384          /* of a buffer in one direction; a head may make it longer */
#define LIMIT_READ_AHEAD 65536      /* of TLS records from a server, in one read */
#define LIMIT_SKIP 65536            /* of an unwanted body that is read to keep the connection */
#define LIMIT_KEPT_MEMORY (1 << 20) /* free, of the heap, before it goes back to the system */
#define LIMIT_HANDSHAKES_KEPT 64    /* so many, and then none for a while: it all goes back */
#define LIMIT_LINGER (16u << 20)    /* read and thrown away before a close */
#define LIMIT_INTERIM_HEADS 307200  /* of 1xx responses to one request; curl takes as much */
#define LIMIT_VIA_HEAD 16384        /* of the answer to CONNECT of a proxy of the host's network */

/* Counts. */
#define LIMIT_SESSIONS 16384     /* clients at once, if the descriptors suffice */
#define LIMIT_RESERVED_FDS 64    /* descriptors that are no connection */
#define LIMIT_IDLE_UPSTREAMS 256 /* kept connections */
#define LIMIT_IDLE_PER_AUTHORITY 64
#define LIMIT_TLS_SESSIONS 256 /* authorities whose TLS session is kept, and what they speak */
#define LIMIT_OPENINGS 64      /* connections on their way that no request owns; half: early ones */
#define LIMIT_EARLY_PER_AUTHORITY 16
#define LIMIT_LEAVES 1024        /* leaf certificates in the cache */
#define LIMIT_INFORMATIONAL 4096 /* 1xx responses to one request */
#define LIMIT_PIPELINE 64        /* requests of a client that are sent before their turn comes */
#define LIMIT_PIPELINED 4096     /* the same, of all clients */
#define LIMIT_REFUSALS 32   /* of one request, by servers that say that they did nothing of it */
#define LIMIT_STEPS 32      /* of one session before the others have their turn */
#define LIMIT_RELAYS_PART 4 /* tunnels: at most this part of the clients */
#define LIMIT_ACCEPTS 64    /* in one turn of the loop */
#define LIMIT_QUEUED 1024   /* messages waiting in the channel before new requests wait, too */

/* Times. */
#define LIMIT_HEAD_MS 30000        /* a request head, from its first byte */
#define LIMIT_IDLE_MS 120000       /* a client connection between requests */
#define LIMIT_CONTINUE_MS 1000     /* a body that waits for 100 Continue; curl waits as long */
#define LIMIT_SILENT_MS 1000       /* until a client is one that waits for its server to speak */
#define LIMIT_DIAL_MS 150000       /* the dialer's answer */
#define LIMIT_VIA_MS 90000         /* TLS with such a proxy, and its answer */
#define LIMIT_HANDSHAKE_MS 120000  /* TLS with a client, which may be at a thousand of them */
#define LIMIT_SERVER_TLS_MS 30000  /* TLS with a server */
#define LIMIT_STALL_MS 300000      /* no byte of a request moves */
#define LIMIT_HALF_CLOSED_MS 30000 /* the same, after the client has ended its side */
#define LIMIT_SILENCE_MS 86400000  /* of a server that has all of a request; of an open tunnel */
#define LIMIT_LINGER_MS 2000       /* reading on after the last byte was written */
#define LIMIT_POOL_MS 15000        /* a kept upstream connection */
#define LIMIT_POOL_FRESH_MS 2000   /* the same, for a request that must not be sent twice */
#define LIMIT_ACCEPT_PAUSE_MS 100  /* after accept ran out of descriptors */
#define LIMIT_CONGESTED_MS 10      /* until a session looks again whether the channel has drained */
#define LIMIT_DRAIN_MS 500         /* tunnels, once the command has ended */
#define LIMIT_LOG_MS 2             /* answered requests are gathered for the log */
#define LIMIT_TICK_MS 1000         /* how exact the times above are */

/* HTTP/2, per connection. Streams: as many as browsers and servers are used to; each is a client
 * like any other. The window of a stream is what its user has not read; of a connection, such that
 * one stream that is not read does not stop the others. A stream from a server whose user keeps up
 * has a wider one, as a server far away needs, as long as all these together hold no more than
 * LIMIT_H2_WIDER beyond what they began with. Frames that only cost, and streams that are
 * broken off, in the time after which a used-up budget is full again: a page of a browser that is
 * left, or a gRPC client at its deadlines, breaks off some tens. Content after which one window
 * update more is fair: Go sends one for each 4 KiB, of the stream and of the connection. */
#define LIMIT_H2_STREAMS 100
#define LIMIT_H2_WINDOW 65535
#define LIMIT_H2_WINDOW_MAX (16u << 20)
#define LIMIT_H2_WIDER (64u << 20)
#define LIMIT_H2_CONNECTION_WINDOW (32 << 20)
#define LIMIT_H2_UNSENT 65536 /* bytes that a server's socket may hold and has not sent yet */
#define LIMIT_H2_UNSETTLED 20 /* streams before a server has said how many may be */
#define LIMIT_H2_FRAMES 1000
#define LIMIT_H2_RESETS 500
#define LIMIT_H2_REFILL_MS 10000
#define LIMIT_H2_UPDATE 512
#define LIMIT_H2_PER_DATA 4       /* for each DATA frame: two updates, a PING and its answer */
#define LIMIT_H2_CONTINUATIONS 16 /* of one head; HEAD_MAX is four full frames */
#define LIMIT_H2_CONNECTIONS 64   /* to servers that are kept without a request */

#endif
