/* A very small NVML library that misbehaves: one device, and one way to go wrong.
 *
 * Built by the tests with one of
 *   -DHANG_AT=<function>   the call never returns
 *   -DCRASH_AT=<function>  the call reads address 8
 *   -DTALKS                prints to stdout, as no library should
 *   -DNO_SERIAL -DNO_INIT  the symbol is missing
 * Only what a scan needs to come that far is here; everything else is a missing symbol.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef unsigned int u32;
enum { OK = 0, NOT_SUPPORTED = 3, TOO_SHORT = 7 };
enum { NOWHERE, INIT, COUNT, HANDLE, UUID, SERIAL, NAME, VBIOS, SHUTDOWN };

#ifndef HANG_AT
#define HANG_AT NOWHERE
#endif
#ifndef CRASH_AT
#define CRASH_AT NOWHERE
#endif
#ifndef DEVICES
#define DEVICES 2
#endif

static char device[DEVICES];

static void arrive(int place, int index)
{
    volatile int *nowhere = (volatile int *)8;
    if (index != DEVICES - 1 && place >= HANDLE && place != SHUTDOWN)
        return; /* only the last device goes wrong */
    if (place == HANG_AT)
        for (;;)
            pause();
    if (place == CRASH_AT)
        *nowhere = 1;
}

static int put(const char *text, char *buffer, u32 length)
{
    if (strlen(text) + 1 > length)
        return TOO_SHORT;
    strcpy(buffer, text);
    return OK;
}

static int index_of(void *handle)
{
    return (int)((char *)handle - device);
}

#ifndef NO_INIT
int nvmlInitWithFlags(u32 flags)
{
    (void)flags;
#ifdef TALKS
    printf("hello from the library\n");
    fflush(stdout);
#endif
    arrive(INIT, 0);
    return OK;
}
#endif

int nvmlShutdown(void)
{
    arrive(SHUTDOWN, 0);
    return OK;
}

int nvmlSystemGetDriverVersion(char *buffer, u32 length)
{
    return put("580.105.08", buffer, length);
}

int nvmlDeviceGetCount_v2(u32 *count)
{
    arrive(COUNT, 0);
    *count = DEVICES;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(u32 index, void **handle)
{
    arrive(HANDLE, (int)index);
    *handle = &device[index];
    return OK;
}

int nvmlDeviceGetUUID(void *handle, char *buffer, u32 length)
{
    char text[] = "GPU-0000000X-0000-0000-0000-000000000000";
    arrive(UUID, index_of(handle));
    text[11] = (char)('0' + index_of(handle));
    return put(text, buffer, length);
}

#ifndef NO_SERIAL
int nvmlDeviceGetSerial(void *handle, char *buffer, u32 length)
{
    arrive(SERIAL, index_of(handle));
    return put("1654123038646", buffer, length);
}
#endif

int nvmlDeviceGetName(void *handle, char *buffer, u32 length)
{
    arrive(NAME, index_of(handle));
    return put("NVIDIA H100 80GB HBM3", buffer, length);
}

int nvmlDeviceGetVbiosVersion(void *handle, char *buffer, u32 length)
{
    arrive(VBIOS, index_of(handle));
    return put("96.00.99.00.01", buffer, length);
}

int nvmlDeviceGetMigMode(void *handle, u32 *current, u32 *pending)
{
    (void)handle;
    *current = *pending = 0;
    return NOT_SUPPORTED;
}
