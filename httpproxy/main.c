/* main.c: cijail-httpproxy; all of it is in the library, so that tests link the same code. */
#include "httpproxy/proxy.h"

int main(void)
{
    return proxy_main();
}
