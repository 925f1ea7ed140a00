# The HTTP/1 reader and writer; its unit tests and fuzz targets.
HTTP_PARSER_SOURCES = \
	httpproxy/head.h httpproxy/head_internal.h httpproxy/head_field.c httpproxy/head_request.c \
	httpproxy/head_response.c httpproxy/head_write.c httpproxy/chunk.c
