/* A chassis for OpenIPMI's ipmi_sim: power and boot flags, kept in a file so that they outlive the process, as a
 * machine's outlive a reboot of its BMC. Loaded with: loadlib "memchassis.so" "STATE_FILE".
 *
 * Replaces ipmi_sim's own handlers of four chassis commands, because those start a program for each power command and
 * keep one of the five bytes of the boot flags. Two commands of its own (network function 0x30) serve tests:
 *   0x01           returns how many Chassis Control commands were received (low byte first, 2 bytes)
 *   0x02 CODE      the next Chassis Control is refused with this completion code
 */
#include <stdio.h>
#include <string.h>
#include <OpenIPMI/lanserv.h>
#include <OpenIPMI/mcserv.h>
#include <OpenIPMI/serv.h>

enum { CHASSIS = 0x00, TEST = 0x30 };
enum { INVALID_DATA = 0xCC, TOO_SHORT = 0xC7, NOT_SUPPORTED = 0x80 };
enum { SET_IN_PROGRESS = 0, VALID_BIT_CLEARING = 3, INFO_ACKNOWLEDGE = 4, BOOT_FLAGS = 5, PARAMETERS = 6 };

static const unsigned int LENGTHS[PARAMETERS] = {1, 0, 0, 1, 2, 5};

static struct {
    unsigned char power;
    unsigned char refusal;
    unsigned short controls;
    unsigned char parameters[PARAMETERS][5];
} chassis;
static char state_file[1024];

static void load(void)
{
    FILE *file = fopen(state_file, "rb");
    if (!file)
        return;
    if (fread(&chassis, sizeof chassis, 1, file) != 1)
        memset(&chassis, 0, sizeof chassis);
    fclose(file);
}

static void save(void)
{
    FILE *file = fopen(state_file, "wb");
    if (!file)
        return;
    fwrite(&chassis, sizeof chassis, 1, file);
    fclose(file);
}

static void answer(unsigned char *rdata, unsigned int *rdata_len, unsigned char code)
{
    rdata[0] = code;
    *rdata_len = 1;
}

static void get_status(lmc_data_t *mc, msg_t *msg, unsigned char *rdata, unsigned int *rdata_len, void *cb_data)
{
    memset(rdata, 0, 4);
    rdata[1] = chassis.power;
    *rdata_len = 4;
}

static void control(lmc_data_t *mc, msg_t *msg, unsigned char *rdata, unsigned int *rdata_len, void *cb_data)
{
    unsigned char code = chassis.refusal;
    chassis.controls++;
    chassis.refusal = 0;
    if (msg->len < 1)
        code = TOO_SHORT;
    else if (!code)
        switch (msg->data[0] & 0xF) {
        case 0: case 5: chassis.power = 0; break; /* power down, soft shutdown */
        case 1: chassis.power = 1; break;
        case 2: case 3: break; /* power cycle, hard reset */
        default: code = INVALID_DATA;
        }
    save();
    answer(rdata, rdata_len, code);
}

static void set_boot_option(lmc_data_t *mc, msg_t *msg, unsigned char *rdata, unsigned int *rdata_len, void *cb_data)
{
    unsigned int parameter = msg->len ? msg->data[0] & 0x7F : PARAMETERS;
    if (parameter >= PARAMETERS || !LENGTHS[parameter])
        return answer(rdata, rdata_len, NOT_SUPPORTED);
    if (msg->len < 1 + LENGTHS[parameter])
        return answer(rdata, rdata_len, TOO_SHORT);
    memcpy(chassis.parameters[parameter], msg->data + 1, LENGTHS[parameter]);
    save();
    answer(rdata, rdata_len, 0);
}

static void get_boot_option(lmc_data_t *mc, msg_t *msg, unsigned char *rdata, unsigned int *rdata_len, void *cb_data)
{
    unsigned int parameter = msg->len ? msg->data[0] & 0x7F : PARAMETERS;
    if (parameter >= PARAMETERS || !LENGTHS[parameter])
        return answer(rdata, rdata_len, NOT_SUPPORTED);
    rdata[0] = 0;
    rdata[1] = 1; /* version of the parameters */
    rdata[2] = parameter;
    memcpy(rdata + 3, chassis.parameters[parameter], LENGTHS[parameter]);
    *rdata_len = 3 + LENGTHS[parameter];
}

static void count_controls(lmc_data_t *mc, msg_t *msg, unsigned char *rdata, unsigned int *rdata_len, void *cb_data)
{
    rdata[0] = 0;
    rdata[1] = chassis.controls & 0xFF;
    rdata[2] = chassis.controls >> 8;
    *rdata_len = 3;
}

static void refuse_next(lmc_data_t *mc, msg_t *msg, unsigned char *rdata, unsigned int *rdata_len, void *cb_data)
{
    if (msg->len < 1)
        return answer(rdata, rdata_len, TOO_SHORT);
    chassis.refusal = msg->data[0];
    save();
    answer(rdata, rdata_len, 0);
}

int ipmi_sim_module_print_version(sys_data_t *sys, char *options)
{
    return 0;
}

int ipmi_sim_module_init(sys_data_t *sys, const char *options)
{
    snprintf(state_file, sizeof state_file, "%s", options ? options : "");
    load();
    ipmi_emu_register_cmd_handler(CHASSIS, 0x01, get_status, NULL);
    ipmi_emu_register_cmd_handler(CHASSIS, 0x02, control, NULL);
    ipmi_emu_register_cmd_handler(CHASSIS, 0x08, set_boot_option, NULL);
    ipmi_emu_register_cmd_handler(CHASSIS, 0x09, get_boot_option, NULL);
    ipmi_emu_register_cmd_handler(TEST, 0x01, count_controls, NULL);
    ipmi_emu_register_cmd_handler(TEST, 0x02, refuse_next, NULL);
    return 0;
}
