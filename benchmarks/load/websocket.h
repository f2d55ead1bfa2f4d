/* The client's side of RFC 6455, as far as the measured servers use it: whole frames, no extensions. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <stddef.h>

enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

typedef struct {
    int opcode;
    int final;
    const char *content;
    size_t length;
    size_t size; /* of the whole frame; 0 while it is not complete */
} ws_frame;

/* Sends one frame, masked with zeros: a client must mask, and the mask of zeros leaves the content as it is. */
void ws_send(int socket, int opcode, const char *content, size_t length);

/* The first frame in these bytes. */
ws_frame ws_read(const char *bytes, size_t length);

#endif
