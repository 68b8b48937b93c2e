"""Which driver branch first offered each function (reference: history of nvml.h).

A library of an older branch has no such symbol; functions not listed are as old as 418.
"""

INTRODUCED = {
    "nvmlDeviceGetRowRemapperHistogram": 450,
    "nvmlDeviceGetRemappedRows": 450,
    "nvmlGetExcludedDeviceCount": 465,
    "nvmlGetExcludedDeviceInfoByIndex": 465,
    "nvmlDeviceGetBusType": 495,
    "nvmlDeviceGetNumGpuCores": 510,
    "nvmlDeviceGetMemoryBusWidth": 510,
    "nvmlDeviceGetMemoryInfo_v2": 510,
    "nvmlDeviceGetGspFirmwareVersion": 515,
    "nvmlDeviceGetGspFirmwareMode": 515,
    "nvmlDeviceGetGpuFabricInfo": 525,
    "nvmlDeviceGetModuleId": 535,
    "nvmlSystemGetConfComputeState": 535,
    "nvmlSystemGetConfComputeCapabilities": 535,
    "nvmlSystemGetConfComputeGpusReadyState": 535,
    "nvmlDeviceGetConfComputeGpuCertificate": 535,
    "nvmlDeviceGetConfComputeGpuAttestationReport": 535,
    "nvmlDeviceGetLastBBXFlushTime": 545,
    "nvmlDeviceGetC2cModeInfoV": 545,
    "nvmlDeviceGetGpuFabricInfoV": 550,
    "nvmlDeviceGetPciInfoExt": 550,
    "nvmlDeviceGetNumaNodeId": 550,
    "nvmlDeviceGetSramEccErrorStatus": 550,
    "nvmlSystemGetConfComputeSettings": 550,
    "nvmlDeviceGetCapabilities": 570,
    "nvmlSystemGetDriverBranch": 560,
    "nvmlDeviceGetPlatformInfo": 570,
    "nvmlDeviceGetDramEncryptionMode": 570,
    "nvmlDeviceGetPdi": 580,
    "nvmlDeviceGetRepairStatus": 580,
    "nvmlDeviceGetAddressingMode": 580,
    "nvmlDeviceGetNvLinkInfo": 580,
    "nvmlDeviceGetHostname_v1": 590,
    "nvmlDeviceGetUnrepairableMemoryFlag_v1": 590,
    "nvmlDeviceGetRemappedRows_v2": 595,
    "nvmlDeviceGetBBXTimeData_v1": 610,
    "nvmlDeviceGetGpuFabricInfo_v4": 610,
    "nvmlDeviceGetBankRemapperStatus_v1": 610,
}
"""Function name → number of the first driver branch that exports it."""


def is_exported(name: str, branch: int) -> bool:
    """Tell whether a library of driver `branch` exports `name`."""
    return INTRODUCED.get(name, 0) <= branch
