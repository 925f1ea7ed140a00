/* cijail-oci-hook(8): puts a container into a jail, from outside. */
#include "oci/hook.h"

int main(int argc, char **argv)
{
    return hook_main(argc, argv);
}
