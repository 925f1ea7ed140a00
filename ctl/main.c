/* cijailctl(8): the admin's tool: policies are checked and explained, logs become reports. Never
 * needed to run a jail. */
#include "ctl/ctl.h"

int main(int argc, char **argv)
{
    return ctl_main(argc, argv);
}
