/* See websocket.h. */
#include "websocket.h"

#include <stdlib.h>
#include <string.h>

#include "common.h"

void ws_send(int socket, int opcode, const char *content, size_t length) {
    if (length > 65535) fail("a client's frame is too long");
    char *frame = allocate(length + 8);
    size_t size = 0;
    frame[size++] = (char)(0x80 | opcode);
    if (length < 126) {
        frame[size++] = (char)(0x80 | length);
    } else {
        frame[size++] = (char)(0x80 | 126);
        frame[size++] = (char)(length >> 8);
        frame[size++] = (char)(length & 255);
    }
    memset(frame + size, 0, 4);
    size += 4;
    memcpy(frame + size, content, length);
    send_all(socket, frame, size + length);
    free(frame);
}

ws_frame ws_read(const char *bytes, size_t length) {
    ws_frame frame = {0};
    const unsigned char *head = (const unsigned char *)bytes;
    if (length < 2) return frame;
    size_t head_size = 2;
    uint64_t content = head[1] & 127;
    int extra = content == 126 ? 2 : content == 127 ? 8 : 0;
    if (extra) {
        head_size += (size_t)extra;
        if (length < head_size) return frame;
        content = 0;
        for (int i = 0; i < extra; i++) content = content << 8 | head[2 + i];
    }
    if (length - head_size < content) return frame;
    frame.opcode = head[0] & 15;
    frame.final = head[0] >> 7;
    frame.content = bytes + head_size;
    frame.length = content;
    frame.size = head_size + content;
    return frame;
}
